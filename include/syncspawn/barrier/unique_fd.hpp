#pragma once

#include <unistd.h>

#include <utility>

/// syncspawn::UniqueFd owns one descriptor:
///
///     #include <fcntl.h>
///
///     #include <syncspawn/barrier/unique_fd.hpp>
///
///     int main() {
///         syncspawn::UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));  // closed at the end
///         if (!file) return 1;
///         char byte = 0;
///         return read(file.get(), &byte, 1) == 0 ? 0 : 1;
///     }

namespace syncspawn {

/// Owns one descriptor and closes it. Move-only. close(2) is never retried: on Linux the number is
/// free even after EINTR.
class UniqueFd {
public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    /// The number, or -1 if nothing is owned.
    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    /// Gives the descriptor to the caller.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes what is owned and owns `fd` instead.
    void reset(int fd = -1) noexcept {
        const int old = std::exchange(fd_, fd);
        if (old >= 0 && old != fd) {
            ::close(old);
        }
    }

private:
    int fd_ = -1;
};

}  // namespace syncspawn
