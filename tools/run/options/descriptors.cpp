#include "descriptors.hpp"

namespace syncspawn::tools {

void add_descriptor_options(std::vector<Option>& /*rows*/, DescriptorSettings& /*settings*/) {}

}  // namespace syncspawn::tools
