#pragma once

#include "request.hpp"

namespace syncspawn::tools::bwrap {

// Launches, stands by until the end, and returns what to exit with. May throw UsageError before it launches.
int launch(Request& request);

}  // namespace syncspawn::tools::bwrap
