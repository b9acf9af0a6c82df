#pragma once

#include <vector>

#include <syncspawn/launcher.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// What the program starts with: directory, environment, zeroth argument.
void add_program_options(std::vector<Option>& rows, SpawnOptions& spawn);

}  // namespace syncspawn::tools
