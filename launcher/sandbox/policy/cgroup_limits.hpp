#pragma once

#include <vector>

#include <syncspawn/sandbox/cgroup.hpp>
#include <syncspawn/sandbox/policy.hpp>

#include "decision.hpp"
#include "launcher/sandbox/limits/settings.hpp"
#include "process_files.hpp"

namespace syncspawn::sandbox {

// What the cgroup of a launch gets.
CgroupLimits cgroup_limits_of(const Policy& policy, const Decisions& decisions);

// Whether the files in a cgroup's directory say what they were given.
void look_at_settings(Evidence& evidence, int directory,
                      const std::vector<CgroupSetting>& settings);

}  // namespace syncspawn::sandbox
