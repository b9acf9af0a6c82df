#include "outside_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace syncspawn::tools {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
    throw std::invalid_argument("'" + text + "' is no address that a door can lead to: " + why);
}

template <class Address>
OutsideAddress outside(const std::string& text, const Address& address, std::size_t length) {
    OutsideAddress result{.text = text, .length = static_cast<socklen_t>(length)};
    std::memcpy(&result.storage, &address, sizeof address);
    return result;
}

OutsideAddress unix_address(const std::string& text) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (text.size() >= sizeof address.sun_path) {
        refuse(text, "that of a unix socket has 107 bytes at most");
    }
    std::memcpy(address.sun_path, text.data(), text.size());
    const bool is_path = text.front() == '/';
    if (!is_path) {
        address.sun_path[0] = '\0';
    }
    return outside(text, address,
                   offsetof(sockaddr_un, sun_path) + text.size() + (is_path ? 1 : 0));
}

in_port_t port_in(const std::string& text, std::string_view digits) {
    in_port_t port = 0;
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, port);
    if (error != std::errc{} || rest != end || port == 0) {
        refuse(text, "its port is no number from 1 to 65535");
    }
    return htons(port);
}

}  // namespace

OutsideAddress parse_outside_address(const std::string& text) {
    if (text.size() > 1 && (text.front() == '/' || text.front() == '@')) {
        return unix_address(text);
    }
    const std::size_t colon = text.rfind(':');
    if (colon != std::string::npos) {
        const std::string host = text.substr(0, colon);
        const std::string_view port = std::string_view(text).substr(colon + 1);
        sockaddr_in ipv4{};
        ipv4.sin_family = AF_INET;
        if (inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) == 1) {
            ipv4.sin_port = port_in(text, port);
            return outside(text, ipv4, sizeof ipv4);
        }
        sockaddr_in6 ipv6{};
        ipv6.sin6_family = AF_INET6;
        if (host.size() > 2 && host.front() == '[' && host.back() == ']' &&
            inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &ipv6.sin6_addr) == 1) {
            ipv6.sin6_port = port_in(text, port);
            return outside(text, ipv6, sizeof ipv6);
        }
    }
    refuse(
        text,
        "say one like 127.0.0.1:3128, [::1]:3128, /run/a.socket or @name (names of hosts are not "
        "looked up)");
}

}  // namespace syncspawn::tools
