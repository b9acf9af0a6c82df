#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

// What forked peers and the harness have in common.

namespace syncspawn::testing {

// One T in memory that processes forked later share. What two of them touch at once must be atomic.
template <class T>
class Shared {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    Shared() {
        void* memory =
            mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "mmap");
        }
        object_ = new (memory) T();
    }
    Shared(Shared&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Shared& operator=(Shared&&) = delete;
    ~Shared() {
        if (object_ != nullptr) {
            munmap(object_, sizeof(T));
        }
    }

    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_; }

private:
    T* object_;
};

// A side that is still there after so long hangs, and is given up: see peer.hpp. Far beyond what the
// slowest machine needs, since it is not for measuring.
inline constexpr unsigned watchdog_seconds = 600;

// A gate that one process opens, once, and any number of them pass.
class Gate {
public:
    Gate() : fd_(eventfd(0, EFD_CLOEXEC)) {
        if (fd_ < 0) {
            throw std::system_error(errno, std::generic_category(), "eventfd");
        }
    }
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
    ~Gate() { close(fd_); }

    void open() const noexcept { (void)eventfd_write(fd_, 1); }
    // False if nobody opened it before the watchdog.
    bool wait() const noexcept {
        pollfd watched{fd_, POLLIN, 0};
        int count = 0;
        do {
            count = poll(&watched, 1, 1000 * static_cast<int>(watchdog_seconds));
        } while (count < 0 && errno == EINTR);
        return count == 1;
    }

private:
    int fd_;
};

}  // namespace syncspawn::testing
