#pragma once

#include <vector>

#include "tools/by_hand/surroundings.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// Namespaces and who the program is in them, network, clocks and cgroup. With the operations on files.
void add_surroundings_options(std::vector<Option>& rows, Surroundings& settings);

}  // namespace syncspawn::tools
