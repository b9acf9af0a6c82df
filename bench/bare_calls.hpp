#pragma once

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>

#include <syncspawn/barrier.hpp>

// One side of a barrier with nothing but the system calls: no checks, no failures, no death. What
// the library costs is measured, and its calls are counted, against this.

namespace syncspawn::bare {

class Side {
public:
    explicit Side(const Barrier& barrier) noexcept
        : local_(barrier.native()->local_fd),
          remote_(barrier.native()->remote_fd),
          is_parent_(barrier.native()->role == SYNCSPAWN_PARENT),
          pipe_(is_parent_ ? barrier.native()->pipe_read_fd : barrier.native()->pipe_write_fd) {}

    void place() noexcept {
        const std::uint64_t one = 1;
        balance_ += write(local_, &one, sizeof one) == sizeof one ? 1 : 0;
    }

    void wait_next() noexcept {
        pollfd watched[]{{pipe_, 0, 0}, {remote_, POLLIN, 0}};
        std::uint64_t count = 0;
        ppoll(watched, 2, nullptr, nullptr);
        // The parent must not block where its child has cleared O_NONBLOCK, which the two share.
        const iovec buffer{&count, sizeof count};
        const ssize_t size = is_parent_ ? preadv2(remote_, &buffer, 1, -1, RWF_NOWAIT)
                                        : read(remote_, &count, sizeof count);
        if (size == sizeof count) {
            balance_ -= static_cast<std::int64_t>(count);
        }
    }

    void sync() noexcept {
        while (balance_ > 0) {
            wait_next();
        }
    }

    void place_and_sync() noexcept {
        place();
        sync();
    }

    [[nodiscard]] std::int64_t balance() const noexcept { return balance_; }

private:
    int local_, remote_;
    bool is_parent_;
    int pipe_;
    std::int64_t balance_ = 0;
};

}  // namespace syncspawn::bare
