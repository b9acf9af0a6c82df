#pragma once

#include <fcntl.h>

#include <cerrno>
#include <system_error>

namespace syncspawn::detail {

// The end of a pipe that this process alone has: a flag of the open file description, and the only one there.
inline void make_nonblocking(int fd) {
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        throw std::system_error(errno, std::generic_category(), "fcntl O_NONBLOCK");
    }
}

}  // namespace syncspawn::detail
