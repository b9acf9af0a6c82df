#pragma once

#include <cstddef>

namespace syncspawn::sandbox {

// What sweep_cgroups() does, in an opened directory.
std::size_t sweep_below(int parent);

}  // namespace syncspawn::sandbox
