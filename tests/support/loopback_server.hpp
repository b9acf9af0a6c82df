#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::testing {

// A port of the loopback where somebody listens.
class LoopbackServer {
public:
    LoopbackServer() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        if (bind(socket_.get(), any, size) < 0 || listen(socket_.get(), 64) < 0 ||
            getsockname(socket_.get(), any, &size) < 0) {
            throw std::system_error(errno, std::generic_category(), "listen on the loopback");
        }
        port_ = ntohs(address.sin_port);
    }
    [[nodiscard]] unsigned short port() const noexcept { return port_; }

private:
    UniqueFd socket_;
    unsigned short port_ = 0;
};

}  // namespace syncspawn::testing
