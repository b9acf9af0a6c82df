#pragma once

#include <syncspawn/launcher/steps/identity.hpp>

namespace syncspawn::steps {

// In the child: by bare system calls alone.
// The groups are sorted, and the room is for as many.
std::error_code take_identity(ChildSide& side, const Identity& identity,
                              std::span<gid_t> room) noexcept;

}  // namespace syncspawn::steps
