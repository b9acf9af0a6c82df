#pragma once

#include <syncspawn/launcher/steps/identity.hpp>

namespace syncspawn::steps {

// In the child: by bare system calls alone.
std::error_code take_identity(ChildSide& side, const Identity& identity) noexcept;

}  // namespace syncspawn::steps
