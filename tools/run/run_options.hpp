#pragma once

#include <optional>

#include "settings.hpp"

namespace syncspawn::tools {

// From the command line of `syncspawn run`. Nothing if it asks for help. Throws UsageError.
std::optional<RunSettings> parse_run_options(int argc, char** argv);

}  // namespace syncspawn::tools
