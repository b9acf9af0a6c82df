#include "address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace syncspawn::sandbox {
namespace {

[[noreturn]] void refuse(const std::string& text, const char* why) {
    throw std::invalid_argument("'" + text + "' is no address: " + why);
}

template <class Address>
SocketAddress as_socket_address(const Address& address, std::size_t length) {
    SocketAddress copy{.length = static_cast<socklen_t>(length)};
    std::memcpy(&copy.storage, &address, sizeof address);
    return copy;
}

template <class Address>
Address from_socket_address(const SocketAddress& address) {
    Address copy{};
    std::memcpy(&copy, &address.storage, sizeof copy);
    return copy;
}

SocketAddress unix_address(const std::string& text) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool is_path = text.front() == '/';
    if (text.size() >= sizeof address.sun_path) {
        refuse(text, "that of a unix socket has 107 bytes at most");
    }
    if (text.find('\0') != std::string::npos || text.size() == 1) {
        refuse(text, "it names no unix socket");
    }
    std::memcpy(address.sun_path, text.data(), text.size());
    if (!is_path) {
        address.sun_path[0] = '\0';
    }
    SocketAddress result = as_socket_address(
        address, offsetof(sockaddr_un, sun_path) + text.size() + (is_path ? 1 : 0));
    result.is_path = is_path;
    return result;
}

std::optional<std::uint16_t> port_in(std::string_view text) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    return error == std::errc() && rest == end ? std::optional(port) : std::nullopt;
}

constexpr const char* forms =
    "it is neither like 127.0.0.1:80, nor like [::1]:80, nor a path, nor an abstract name with @";

SocketAddress internet_address(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    const auto port = colon == std::string::npos
                          ? std::nullopt
                          : port_in(std::string_view(text).substr(colon + 1));
    if (!port) {
        refuse(text, forms);
    }
    const std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(*port);
        if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address.sin6_addr) == 1) {
            return as_socket_address(address, sizeof address);
        }
        refuse(text, forms);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(*port);
    if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
        refuse(text, forms);
    }
    return as_socket_address(address, sizeof address);
}

std::string unix_text(const SocketAddress& address) {
    const auto local = from_socket_address<sockaddr_un>(address);
    const std::size_t begin = offsetof(sockaddr_un, sun_path);
    std::string text(local.sun_path, address.length > begin ? address.length - begin : 0);
    if (!text.empty() && text.front() == '\0') {
        text.front() = '@';
    } else {
        text.erase(std::min(text.find('\0'), text.size()));
    }
    return text;
}

}  // namespace

SocketAddress address_of(const std::string& text) {
    const bool is_unix = !text.empty() && (text.front() == '/' || text.front() == '@');
    return is_unix ? unix_address(text) : internet_address(text);
}

std::string text_of(const SocketAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> host{};
    if (address.family() == AF_INET) {
        const auto four = from_socket_address<sockaddr_in>(address);
        inet_ntop(AF_INET, &four.sin_addr, host.data(), host.size());
        return std::string(host.data()) + ":" + std::to_string(ntohs(four.sin_port));
    }
    if (address.family() == AF_INET6) {
        const auto six = from_socket_address<sockaddr_in6>(address);
        inet_ntop(AF_INET6, &six.sin6_addr, host.data(), host.size());
        return "[" + std::string(host.data()) + "]:" + std::to_string(ntohs(six.sin6_port));
    }
    return unix_text(address);
}

}  // namespace syncspawn::sandbox
