#pragma once

#include <vector>

#include "tools/by_hand/gates.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

void add_gate_options(std::vector<Option>& rows, Gates& settings);

}  // namespace syncspawn::tools
