#pragma once

#include <string>

#include "launcher/sandbox/child/network.hpp"

namespace syncspawn::sandbox {

// "127.0.0.1:80", "[::1]:80", "/a/path", "@abstract". Throws std::invalid_argument for anything else.
SocketAddress address_of(const std::string& text);

std::string text_of(const SocketAddress& address);

}  // namespace syncspawn::sandbox
