#pragma once

#include <vector>

#include "tools/by_hand/restrictions.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// Limits, identity, capabilities, Landlock, filters of system calls.
void add_restriction_options(std::vector<Option>& options, Restrictions& restrictions);

}  // namespace syncspawn::tools
