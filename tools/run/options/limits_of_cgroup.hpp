#pragma once

#include <string>

#include <syncspawn/sandbox/cgroup.hpp>

namespace syncspawn::tools {

// "memory=2G,processes=64,cpus=1.5"; empty: no limits. Throws UsageError.
sandbox::CgroupLimits limits_of_cgroup(const std::string& text);

}  // namespace syncspawn::tools
