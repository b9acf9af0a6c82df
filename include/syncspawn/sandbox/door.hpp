#pragma once

#include <string>

/// A door: how a program without a network reaches the launcher's process.
///
///     #include <syncspawn/sandbox/door.hpp>
///
///     int main() {
///         const syncspawn::sandbox::Door proxy{.name = "proxy", .address = "127.0.0.1:3128"};
///         return proxy.name == "proxy" ? 0 : 1;
///     }
///
/// The program connects to the address, inside; this process accepts, outside. No address of the host and no
/// bridge process is involved.

namespace syncspawn::sandbox {

/// A socket for the program to connect to. <syncspawn/sandbox/network.hpp> opens it.
struct Door {
    std::string name{};  ///< for you, and in errors
    /// Where it listens, inside: "127.0.0.1:3128", "[::1]:3128", the absolute path of a unix socket, or "@" and the
    /// name of an abstract one. With port 0 the kernel chooses one: OpenDoor::address.
    std::string address{};
    int backlog = 128;  ///< how many connections wait until you accept them: listen(2)

    friend bool operator==(const Door&, const Door&) = default;
};

}  // namespace syncspawn::sandbox
