#pragma once

#include <optional>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

struct RunSettings {
    SpawnOptions spawn{.program = "-"};
    bool map_root = false;
    bool timeline = false;
};

// From the command line of `syncspawn run`. Nothing if it asks for help. Throws UsageError.
std::optional<RunSettings> parse_run_options(int argc, char** argv);

}  // namespace syncspawn::tools
