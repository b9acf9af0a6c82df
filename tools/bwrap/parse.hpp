#pragma once

#include "request.hpp"

namespace syncspawn::tools::bwrap {

// From the command line. Throws UsageError; `request` then knows how to say it.
void parse(Request& request, int argc, const char* const* argv);

}  // namespace syncspawn::tools::bwrap
