#pragma once

#include <string_view>

#include "tools/command_line/completion.hpp"

namespace syncspawn::tools {

// What an argument of that name may be. WHAT and GUARANTEE are words that the help of the option ends with:
//
//     {"--network", "WHAT", "The network that it has: none (usual), loopback, host", ...}
Values values_of(const Option* option, std::string_view argument);

}  // namespace syncspawn::tools
