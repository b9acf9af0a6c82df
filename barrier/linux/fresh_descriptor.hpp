#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

// Descriptors that were just opened.

namespace syncspawn::detail {

// A close-on-exec duplicate numbered `lowest` or higher, -1 and errno where there is no room.
inline int duplicate_from(int fd, int lowest) noexcept {
    const int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
    // So fcntl(2) says that RLIMIT_NOFILE leaves no number from `lowest` on.
    if (duplicate < 0 && errno == EINVAL) {
        errno = EMFILE;
    }
    return duplicate;
}

// Descriptors 0 to 2 may be closed in this process, but a number there is a standard stream to
// everybody else, who may arrange them later. Takes `fd`; -1 if that is, or if no number is free.
inline int above_standard_streams(int fd) noexcept {
    if (fd < 0 || fd > STDERR_FILENO) {
        return fd;
    }
    const int moved = duplicate_from(fd, 10);
    const int error = errno;
    ::close(fd);
    errno = error;
    return moved;
}

}  // namespace syncspawn::detail

// The barrier's own code says them without a prefix.
namespace syncspawn::core {
using detail::above_standard_streams;
using detail::duplicate_from;
}  // namespace syncspawn::core
