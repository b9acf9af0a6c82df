#pragma once

#include <vector>

#include <syncspawn/launcher.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {

struct DescriptorSettings {
    std::vector<PassedDescriptor> kept{};  // each number in the program once
};

void add_descriptor_options(std::vector<Option>& rows, DescriptorSettings& settings);

}  // namespace syncspawn::tools
