#pragma once

#include <string>
#include <vector>

#include <syncspawn/steps.hpp>

namespace syncspawn::tools {

// Values of options. All throw UsageError or std::invalid_argument, which says what would be right.

// "nofile=256", "as=2G:unlimited", "core=0:", "cpu=:60": SOFT alone is for both limits.
steps::ResourceLimit parse_limit(const std::string& text);

// "0-3,5".
std::vector<int> parse_cpu_list(const std::string& text);

// "usual", "batch", "idle": as sched(7) has them.
int parse_scheduling(const std::string& text);

}  // namespace syncspawn::tools
