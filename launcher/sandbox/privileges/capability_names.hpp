#pragma once

#include <string>

namespace syncspawn::sandbox {

// The highest capability of this kernel.
int last_capability() noexcept;

// Its number. Throws std::invalid_argument if there is no such capability, and std::system_error if this kernel has
// none.
int capability_of(const std::string& name);

// "cap_net_admin"; "cap_41" for one that libcap does not know.
std::string name_of_capability(int capability);

}  // namespace syncspawn::sandbox
