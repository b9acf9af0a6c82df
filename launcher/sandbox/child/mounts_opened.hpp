#pragma once

#include <cstddef>
#include <utility>

namespace syncspawn::sandbox {

// Descriptors to be closed: many at once, by one call for those that lie side by side.
class Closing {
public:
    Closing() noexcept = default;
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing() { flush(); }

    void add(int fd) noexcept;
    void flush() noexcept;

private:
    // Few, for the program's limit may be low (RLIMIT_NOFILE).
    static constexpr std::size_t most = 32;
    int fds_[most] = {};
    std::size_t count_ = 0;
};

// Owns a descriptor, and leaves it to be closed.
class Opened {
public:
    Opened() noexcept = default;
    Opened(Closing& closing, int fd) noexcept : closing_(&closing), fd_(fd) {}
    Opened(Opened&& other) noexcept : closing_(other.closing_), fd_(std::exchange(other.fd_, -1)) {}
    Opened& operator=(Opened&& other) noexcept {
        std::swap(closing_, other.closing_);
        std::swap(fd_, other.fd_);
        return *this;
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() {
        if (fd_ >= 0) {
            closing_->add(fd_);
        }
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    Closing* closing_ = nullptr;
    int fd_ = -1;
};

}  // namespace syncspawn::sandbox
