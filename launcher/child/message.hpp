#pragma once

#include <cstdint>

namespace syncspawn::detail {

// What carries a descriptor of a child's part to the parent: the item of the part.
using Message = std::uint32_t;

// False and errno. Never waits: the parent may be waiting for this side.
bool send_message(int socket, Message item, int fd) noexcept;

}  // namespace syncspawn::detail
