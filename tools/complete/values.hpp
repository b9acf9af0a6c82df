#pragma once

#include <string_view>

#include "tools/command_line/completion.hpp"

namespace syncspawn::tools {

// What an argument of that name may be. Of a name like "none|loopback|host" the words are its own.
Values values_of(std::string_view option, std::string_view argument);

}  // namespace syncspawn::tools
