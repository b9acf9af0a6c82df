#pragma once

#include <string>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Runs the command in the child's own surroundings, with all the capabilities that the child has there, and
// with the program's environment and signal mask. It is killed if the child dies.
ChildPart child_hook(const std::string& command, const SpawnOptions& options, int null_device);

}  // namespace syncspawn::tools
