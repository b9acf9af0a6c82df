#pragma once

#include <vector>

#include "finding.hpp"

namespace syncspawn::tools {

// In short: what is there becomes one finding, and what is not one for each cause, with all their labels. Causes that
// differ only in the label that they quote are the same.
std::vector<Finding> merged(const std::vector<Finding>& findings);

}  // namespace syncspawn::tools
