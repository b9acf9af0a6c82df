#pragma once

#include <span>
#include <vector>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/waiting.hpp"

namespace syncspawn::detail {

// What somebody else's event loop waits for: one descriptor that is readable once any of several is
// ready, or the deadline has passed. The set is this object's alone (epoll(7)), so that the loop can set
// flags on it at will: on what is in it, they would be the child's as well.
class Watch {
public:
    // Throws std::system_error.
    Watch();

    // Replaces what is waited for. Negative descriptors are passed over. What cannot be watched (a regular
    // file, no memory) makes it readable every few milliseconds instead.
    void set_all(std::span<const pollfd> events, const Deadline* deadline) noexcept;
    void set(const Events& events, const Deadline* deadline) noexcept {
        set_all(events.list(), deadline);
    }
    // Before a descriptor is closed: its number may be another one's at the next set.
    void let_go(int fd) noexcept;
    [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

private:
    void replace(std::span<const pollfd> events) noexcept;
    [[nodiscard]] bool add(const pollfd& event) noexcept;
    [[nodiscard]] bool arm(const Deadline* deadline) noexcept;

    UniqueFd epoll_;
    UniqueFd timer_;
    std::vector<pollfd> watched_;
    bool sees_all_ = true;
};

}  // namespace syncspawn::detail
