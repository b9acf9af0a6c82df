#pragma once

#include <string>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// The variables by which a hook knows the child.
constexpr const char* child_pid_variable = "SYNCSPAWN_CHILD_PID";
constexpr const char* child_pidfd_variable = "SYNCSPAWN_CHILD_PIDFD";

// Runs the command in the caller's world: directory, environment and rights of this process. It is killed if the
// launch fails meanwhile, or this process ends.
ParentPart parent_hook(const std::string& command, const Signals& signals);

}  // namespace syncspawn::tools
