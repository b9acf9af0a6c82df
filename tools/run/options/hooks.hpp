#pragma once

#include <vector>

#include "tools/command_line/command_line.hpp"
#include "tools/hooks/hook_settings.hpp"

namespace syncspawn::tools {

void add_hook_options(std::vector<Option>& rows, HookSettings& settings);

}  // namespace syncspawn::tools
