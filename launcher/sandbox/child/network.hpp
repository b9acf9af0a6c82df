#pragma once

#include <sys/socket.h>

#include <system_error>

#include <syncspawn/launcher/step.hpp>

#include "namespaces.hpp"

namespace syncspawn::sandbox {

// As the kernel takes it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
    bool is_path = false;  // of a unix socket

    [[nodiscard]] int family() const noexcept { return storage.ss_family; }
    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

std::error_code bring_loopback_up(ChildSide& side, const OuterNamespace& outer) noexcept;

struct DoorToOpen {
    SocketAddress address{};
    int backlog = 0;
    OuterNamespace outer{};
};
// And sends it to the parent.
std::error_code open_door(ChildSide& side, const DoorToOpen& door) noexcept;

}  // namespace syncspawn::sandbox
