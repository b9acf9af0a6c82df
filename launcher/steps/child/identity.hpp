#pragma once

#include <cstddef>
#include <span>

#include <syncspawn/launcher/steps/identity.hpp>

namespace syncspawn::steps {

constexpr std::size_t most_groups_on_the_stack = 1024;

// In the child: by bare system calls alone. The groups are sorted. The room is for as many, and the child's alone;
// without it, there are not too many for the stack.
std::error_code take_identity(ChildSide& side, const Identity& identity,
                              std::span<gid_t> room) noexcept;
std::error_code take_identity(ChildSide& side, const Identity& identity) noexcept;

}  // namespace syncspawn::steps
