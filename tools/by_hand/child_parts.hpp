#pragma once

#include <memory>
#include <string>
#include <vector>

#include <syncspawn/launcher/environment.hpp>
#include <syncspawn/launcher/step.hpp>

namespace syncspawn::tools {

// Fails unless user namespaces cannot be made where the child is.
Step assert_no_user_namespaces();

// Where the program starts: this directory if it is there inside, else HOME, else "/". PWD says which: the environment
// should have it for `directory` already.
Step start_in(const std::string& directory, const Environment& environment);

}  // namespace syncspawn::tools
