#pragma once

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Maps root of the child's new user namespace to the caller, from the parent while the child waits.
Step map_root_step();

}  // namespace syncspawn::tools
