#include "network.hpp"

#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

// By bare system calls: what runs here must be in the list of tests/launcher/child/calls.

namespace syncspawn::sandbox {
namespace {

// As require_own_namespace(), where /proc may not be mounted: the socket has a namespace, too. That takes CAP_NET_ADMIN in
// it, and Linux 4.9.
std::error_code require_own_network(ChildSide& side, int socket,
                                    const OuterNamespace& outer) noexcept {
    const int file = ioctl(socket, SIOCGSKNS);
    if (file < 0) {
        return require_own_namespace(side, outer);
    }
    struct stat own {};
    const bool is_outer =
        fstat(file, &own) == 0 && own.st_ino == outer.number && own.st_dev == outer.device;
    close(file);
    return is_outer ? side.fail(EINVAL, outer.complaint) : side.done();
}

std::error_code set_flags(ChildSide& side, int socket) noexcept {
    ifreq loopback{};
    std::memcpy(loopback.ifr_name, "lo", sizeof "lo");
    if (ioctl(socket, SIOCGIFFLAGS, &loopback) < 0) {
        return side.fail("ioctl(SIOCGIFFLAGS): lo");
    }
    loopback.ifr_flags = static_cast<short>(loopback.ifr_flags | IFF_UP);
    if (ioctl(socket, SIOCSIFFLAGS, &loopback) == 0) {
        return side.done();
    }
    return side.fail(errno == EPERM ? "lo up: the child has no CAP_NET_ADMIN there (AppArmor takes "
                                      "it from new user namespaces)"
                                    : "ioctl(SIOCSIFFLAGS): lo");
}

}  // namespace

std::error_code bring_loopback_up(ChildSide& side, const OuterNamespace& outer) noexcept {
    // Devices can be asked for by a socket of any family, and this one is always there.
    const auto socket =
        static_cast<int>(syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (socket < 0) {
        return side.fail("socket");
    }
    std::error_code error = require_own_network(side, socket, outer);
    if (!error) {
        error = set_flags(side, socket);
    }
    close(socket);
    return error;
}

std::error_code open_door(ChildSide& side, const DoorToOpen& door) noexcept {
    const SocketAddress& address = door.address;
    if (!address.is_path) {
        if (const std::error_code error = require_own_namespace(side, door.outer)) {
            return error;
        }
    }
    const auto socket =
        static_cast<int>(syscall(SYS_socket, address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket < 0) {
        return side.fail("socket");
    }
    std::error_code error;
    if (syscall(SYS_bind, socket, address.get(), address.length) < 0) {
        error = side.fail(errno == EADDRNOTAVAIL
                              ? "bind: no device has the address (is loopback_up() missing before?)"
                              : "bind");
    } else if (syscall(SYS_listen, socket, door.backlog) < 0) {
        error = side.fail("listen");
    } else {
        error = side.send_descriptor(socket);
    }
    close(socket);
    return error;
}

}  // namespace syncspawn::sandbox
