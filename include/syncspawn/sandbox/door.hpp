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

/// A listening socket that is made inside the sandbox and handed to this process.
struct Door {
    std::string name;  ///< what this process asks for it by
    /// Where it listens, inside: "127.0.0.1:3128", "[::1]:3128", or the absolute path of a unix socket.
    std::string address;

    friend bool operator==(const Door&, const Door&) = default;
};

}  // namespace syncspawn::sandbox
