#pragma once

#include <sys/socket.h>

#include <string>

namespace syncspawn::tools {

// Where a door leads: a server of the host.
struct OutsideAddress {
    std::string text{};
    sockaddr_storage storage{};
    socklen_t length = 0;
};

// "127.0.0.1:3128", "[::1]:80", "/a/path" or "@abstract". Throws std::invalid_argument for anything else.
OutsideAddress parse_outside_address(const std::string& text);

}  // namespace syncspawn::tools
