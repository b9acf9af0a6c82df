#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::testing {

// A unix socket at that path, as a service has it. Empty, with errno, if that fails.
inline UniqueFd bound_socket(const std::string& path) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        socket.reset();
    }
    return socket;
}

}  // namespace syncspawn::testing
