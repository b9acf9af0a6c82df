#pragma once

#include <string>

#include <syncspawn/launcher/spawn_error.hpp>

#include "request.hpp"

namespace syncspawn::tools::bwrap {

// Why the launch has failed: in bubblewrap's words where callers look for them, else in the library's.
std::string diagnosis(const SpawnError& error, const Request& request);

}  // namespace syncspawn::tools::bwrap
