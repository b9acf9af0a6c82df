#pragma once

#include <fcntl.h>

#include <cerrno>
#include <system_error>

namespace syncspawn::detail {

// The end of a pipe that this process alone has. (A flag of the open file description.)
inline void make_nonblocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        throw std::system_error(errno, std::generic_category(), "fcntl O_NONBLOCK");
    }
}

}  // namespace syncspawn::detail
