#pragma once

#include <syncspawn/launcher.hpp>

#include "options/descriptors.hpp"
#include "options/hooks.hpp"
#include "options/inspection.hpp"
#include "options/launch.hpp"
#include "options/policy.hpp"
#include "options/reports.hpp"
#include "tools/by_hand/gates.hpp"
#include "tools/by_hand/restrictions.hpp"
#include "tools/by_hand/surroundings.hpp"

namespace syncspawn::tools {

// What the command line of `syncspawn run` said, group by group. Plain data: nothing is opened or started yet.
struct RunSettings {
    SpawnOptions spawn{.program = "-"};
    LaunchSettings launch{};
    DescriptorSettings descriptors{};
    PolicySettings policy{};
    InspectionSettings inspection{};
    Restrictions restrictions{};
    Surroundings surroundings{};
    Gates gates{};
    ReportSettings reports{};
    HookSettings hooks{};
};

}  // namespace syncspawn::tools
