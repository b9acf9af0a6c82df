#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace syncspawn::sandbox {

// A unix socket that is bound to a file.
struct BoundSocket {
    std::string
        name;  // as it was bound: it may be relative, and the file may have been renamed since
    std::uint32_t number = 0;             // its own: "socket:[NUMBER]" in /proc/PID/fd
    std::optional<std::uint32_t> file{};  // the inode of the file, where the kernel tells
};

// Those of this process's network namespace. From sock_diag(7), or from /proc/net/unix where that is refused.
std::vector<BoundSocket> bound_sockets();

}  // namespace syncspawn::sandbox
