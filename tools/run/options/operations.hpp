#pragma once

#include <vector>

#include "tools/by_hand/surroundings.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// What lays the program's files out, in the order of the command line: bubblewrap's names and arguments.
void add_operation_options(std::vector<Option>& rows, Surroundings& settings);

}  // namespace syncspawn::tools
