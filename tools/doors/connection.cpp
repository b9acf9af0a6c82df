#include "connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace syncspawn::tools {
namespace {

std::uint32_t events_of(const OneWay& from_here, const OneWay& to_here) noexcept {
    const std::uint32_t reads = from_here.wants_to_read() ? EPOLLIN : 0U;
    return reads | (to_here.wants_to_write() ? EPOLLOUT : 0U);
}

int error_of(int socket) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

// So that who reads there learns that something is missing: the close that follows is a reset, not an end. A unix
// socket has no such thing.
void close_by_reset(UniqueFd& socket) noexcept {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket.reset();
}

}  // namespace

Connection::Connection(UniqueFd inside) noexcept : inside_{.socket = std::move(inside)} {}

void Connection::connect_to(const OutsideAddress& address) {
    UniqueFd& socket = outside_.socket;
    socket.reset(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket && connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                          address.length) == 0) {
        begin_to_pass();
    } else if (socket && (errno == EINPROGRESS || errno == EINTR)) {
        state_ = State::connecting;
    } else if (!socket || errno != EAGAIN) {
        state_ = State::refused;
    }
}

void Connection::begin_to_pass() noexcept {
    state_ = State::passing;
    outwards_ = OneWay(inside_.socket.get(), outside_.socket.get());
    inwards_ = OneWay(outside_.socket.get(), inside_.socket.get());
}

void Connection::break_off() noexcept {
    close_by_reset(inside_.socket);
    close_by_reset(outside_.socket);
    state_ = State::over;
}

void Connection::advance() {
    if (state_ == State::connecting) {
        if (const int error = error_of(outside_.socket.get()); error != 0) {
            state_ = State::refused;
            errno = error;
            return;
        }
        begin_to_pass();
    }
    if (state_ != State::passing) {
        return;
    }
    if (!outwards_.pump() || !inwards_.pump()) {
        break_off();
    } else if (outwards_.is_done() && inwards_.is_done()) {
        state_ = State::over;
    }
}

std::uint32_t Connection::wanted_inside() const noexcept {
    return state_ == State::passing ? events_of(outwards_, inwards_) : 0U;
}

std::uint32_t Connection::wanted_outside() const noexcept {
    if (state_ == State::connecting) {
        return EPOLLOUT;
    }
    return state_ == State::passing ? events_of(inwards_, outwards_) : 0U;
}

}  // namespace syncspawn::tools
