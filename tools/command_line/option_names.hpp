#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace syncspawn::tools {

// One way to write an option: "--help" or "-h".
struct OptionName {
    std::string text;
    const Option* option;
    bool negated;
};

// All that the table knows, "--[no-]pty" as the two names that it stands for.
std::vector<OptionName> names_in(const std::vector<Option>& options);

}  // namespace syncspawn::tools
