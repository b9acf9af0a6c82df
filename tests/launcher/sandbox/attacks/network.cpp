// Attacks through sockets.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "attack.hpp"

namespace syncspawn::attacks {
namespace {

int new_socket(int family, int type, int protocol = 0) {
    return socket(family, type | SOCK_CLOEXEC, protocol);
}

bool connects(int fd, const void* address, std::size_t size) {
    return fd >= 0 &&
           connect(fd, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0;
}

sockaddr_in host() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host_address, &address.sin_addr);
    return address;
}

Outcome reach_tcp() {
    const int fd = new_socket(AF_INET, SOCK_STREAM);
    const sockaddr_in address = host();
    return by(connects(fd, &address, sizeof address) && reads_token(fd));
}

// Who is not there is so at once, by an ICMP message on the loopback, or never heard of: no route.
Outcome reach_udp() {
    const int fd = new_socket(AF_INET, SOCK_DGRAM);
    const sockaddr_in address = host();
    return by(connects(fd, &address, sizeof address) && send(fd, "x", 1, 0) == 1 &&
              reads_token(fd));
}

Outcome make_raw() { return by(new_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0); }
Outcome make_packet() { return by(new_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) >= 0); }
Outcome make_vsock() { return by(new_socket(AF_VSOCK, SOCK_STREAM) >= 0); }
Outcome make_alg() { return by(new_socket(AF_ALG, SOCK_SEQPACKET) >= 0); }

Outcome see_addresses() {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) < 0) {
        return denied();
    }
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, one->ifa_addr, sizeof address);
            if (address.sin_addr.s_addr == host().sin_addr.s_addr) {
                return worked();
            }
        }
    }
    errno = ENODEV;
    return denied();
}

struct UnixAddress {
    sockaddr_un address{};
    socklen_t size = 0;
};

UnixAddress at_path(const char* path) {
    UnixAddress made;
    made.address.sun_family = AF_UNIX;
    std::strncpy(made.address.sun_path, path, sizeof made.address.sun_path - 1);
    made.size = sizeof made.address;
    return made;
}

UnixAddress abstract(const char* name) {
    UnixAddress made;
    made.address.sun_family = AF_UNIX;
    std::strncpy(made.address.sun_path + 1, name, sizeof made.address.sun_path - 2);
    made.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name));
    return made;
}

Outcome answered_at(const UnixAddress& where) {
    const int fd = new_socket(AF_UNIX, SOCK_STREAM);
    return by(connects(fd, &where.address, where.size) && reads_token(fd));
}

Outcome reach_service() { return answered_at(at_path(service)); }
Outcome reach_late_service() { return answered_at(at_path(late_service)); }
Outcome reach_run_service() { return answered_at(at_path(run_service)); }
Outcome reach_abstract() { return answered_at(abstract(abstract_service)); }

Outcome send_to_abstract() {
    const UnixAddress where = abstract("syncspawn-attacks-datagrams");
    return by(sendto(new_socket(AF_UNIX, SOCK_DGRAM), "x", 1, 0,
                     reinterpret_cast<const sockaddr*>(&where.address), where.size) == 1);
}

// Who connects there from outside meets the program.
Outcome pretend() {
    const UnixAddress where = abstract(squatted_name);
    const int fd = new_socket(AF_UNIX, SOCK_STREAM);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&where.address), where.size) < 0 ||
        listen(fd, 1) < 0) {
        return denied();
    }
    char network[64]{};
    errno = 0;
    return by(readlink("/proc/self/ns/net", network, sizeof network - 1) > 0 &&
              std::strcmp(network, scene().network) == 0);
}

}  // namespace

std::span<const Attack> attacks_on_network() {
    static constexpr Attack all[]{
        {"reach a server by TCP", reach_tcp},
        {"reach a server by UDP", reach_udp},
        {"make a raw socket", make_raw, Without::root_can},
        {"make a packet socket", make_packet, Without::root_can, EAFNOSUPPORT},
        {"make a vsock socket", make_vsock, Without::everybody_can, EAFNOSUPPORT},
        {"make a socket of the kernel's ciphers", make_alg, Without::everybody_can, EAFNOSUPPORT},
        {"see the addresses of the host", see_addresses},
        {"reach a service by its path", reach_service},
        {"reach a service that listens later, in `/run`", reach_run_service},
        {"reach a service that listens later, elsewhere", reach_late_service},
        {"reach an abstract socket", reach_abstract},
        {"send to an abstract socket", send_to_abstract},
        {"take an abstract name that others look for", pretend},
    };
    return all;
}

}  // namespace syncspawn::attacks
