#include "one_way.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "barrier/linux/bounded_text.hpp"
#include "barrier/linux/fresh_descriptor.hpp"
#include "barrier/linux/quiet_write.hpp"

namespace syncspawn::detail {
namespace {

// To open a master once more makes a new terminal.
bool is_master(const struct stat& about) noexcept {
    constexpr unsigned alternate_consoles = 5;
    constexpr unsigned multiplexer = 2;
    return about.st_rdev == makedev(alternate_consoles, multiplexer);
}

// Files never keep anybody waiting, sockets cannot be opened, and other devices may do something when they are.
bool can_be_opened_again(int fd) noexcept {
    struct stat about {};
    if (fstat(fd, &about) < 0) {
        return false;
    }
    return S_ISFIFO(about.st_mode) ||
           (S_ISCHR(about.st_mode) && !is_master(about) && isatty(fd) == 1);
}

int open_again(int fd, int access) noexcept {
    char path[32];
    BoundedText(path) << "/proc/self/fd/" << fd;
    return above_standard_streams(open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// One that there is not is, too: the call that follows says so.
bool is_ready(int fd, short events) noexcept {
    pollfd one{fd, events, 0};
    return fd < 0 || poll(&one, 1, 0) > 0;
}

ssize_t not_now() noexcept {
    errno = EAGAIN;
    return -1;
}

}  // namespace

ForeignEnd::ForeignEnd(int borrowed, Use use) noexcept
    : borrowed_(borrowed),
      own_(can_be_opened_again(borrowed)
               ? open_again(borrowed, use == Use::reads ? O_RDONLY : O_WRONLY)
               : -1) {}

ssize_t ForeignEnd::read(char* bytes, std::size_t size) const noexcept {
    return own_ || is_ready(fd(), POLLIN) ? ::read(fd(), bytes, size) : not_now();
}

ssize_t ForeignEnd::write(const char* bytes, std::size_t size) const noexcept {
    // So much, a terminal that poll(2) calls writable mostly takes at once.
    constexpr std::size_t little = 256;
    if (!own_ && !is_ready(fd(), POLLOUT)) {
        return not_now();
    }
    const auto [written, error] = write_quietly(fd(), bytes, own_ ? size : std::min(size, little));
    errno = error;
    return written;
}

}  // namespace syncspawn::detail
