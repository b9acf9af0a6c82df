#pragma once

#include <poll.h>

#include <array>
#include <cstddef>
#include <initializer_list>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::detail {

// What somebody else's event loop waits for: one descriptor that is readable once any of several is
// ready, or the deadline has passed. The set is this object's alone (epoll(7)), so that the loop can set
// flags on it at will: on what is in it, they would be the child's as well.
class Watch {
public:
    // Throws std::system_error.
    Watch();

    // Replaces what is waited for: up to five events; negative descriptors are passed over. What cannot
    // be watched (a regular file, no memory) makes it readable every few milliseconds instead.
    void set(std::initializer_list<pollfd> events, const Deadline* deadline) noexcept;
    [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

private:
    [[nodiscard]] bool add(const pollfd& event) noexcept;
    void arm(const Deadline* deadline) noexcept;

    UniqueFd epoll_;
    UniqueFd timer_;
    std::array<pollfd, 5> watched_{};
    std::size_t count_ = 0;
    bool sees_all_ = true;
};

}  // namespace syncspawn::detail
