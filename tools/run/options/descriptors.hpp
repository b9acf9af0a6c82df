#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

struct DescriptorSettings {
    std::vector<PassedDescriptor> kept{};  // in order; the last of a number in the program wins
};

void add_descriptor_options(std::vector<Option>& rows, DescriptorSettings& settings);

}  // namespace syncspawn::tools
