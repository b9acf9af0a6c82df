#include "mounts_opened.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace syncspawn::sandbox {

// errno stays: it may be that of a call whose failure is yet to be told.
void Closing::add(int fd) noexcept {
    if (count_ == most) {
        flush();
    }
    fds_[count_++] = fd;
}

void Closing::flush() noexcept {
    const int error = errno;
    std::sort(fds_, fds_ + count_);
    for (std::size_t begin = 0; begin < count_;) {
        std::size_t end = begin + 1;
        while (end < count_ && fds_[end] == fds_[end - 1] + 1) {
            ++end;
        }
        if (syscall(SYS_close_range, fds_[begin], fds_[end - 1], 0) < 0) {
            std::for_each(fds_ + begin, fds_ + end, [](int fd) { close(fd); });
        }
        begin = end;
    }
    count_ = 0;
    errno = error;
}

}  // namespace syncspawn::sandbox
