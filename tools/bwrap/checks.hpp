#pragma once

#include "request.hpp"

namespace syncspawn::tools::bwrap {

// Completes what the options have said, each alone. Throws UsageError for what does not go together.
void settle(Request& request);

}  // namespace syncspawn::tools::bwrap
