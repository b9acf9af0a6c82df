#pragma once

#include <syncspawn/launcher.hpp>

#include "options/descriptors.hpp"
#include "options/launch.hpp"

namespace syncspawn::tools {

// What the command line of `syncspawn run` said, group by group. Plain data: nothing is opened or started yet.
struct RunSettings {
    SpawnOptions spawn{.program = "-"};
    LaunchSettings launch{};
    DescriptorSettings descriptors{};
    bool map_root = false;
    bool timeline = false;
};

}  // namespace syncspawn::tools
