#pragma once

#include <vector>

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Those beside the standard streams that execve(2) would leave open, under their own numbers.
std::vector<PassedDescriptor> inherited_descriptors();

}  // namespace syncspawn::tools
