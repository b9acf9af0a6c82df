#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

// What is to be seen of the plan, and of what holds the program.
struct InspectionSettings {
    bool dry_run = false;
    std::optional<std::string> enforcement{};  // where to; empty: standard error
};

void add_inspection_options(std::vector<Option>& rows, InspectionSettings& settings);

}  // namespace syncspawn::tools
