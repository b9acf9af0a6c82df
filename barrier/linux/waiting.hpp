#pragma once

#include <poll.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <span>

#include <syncspawn/barrier/barrier.hpp>

namespace syncspawn::detail {

// Between two looks at what nothing tells of.
inline constexpr auto look_every = std::chrono::milliseconds(2);

// So long from now; what is too long for a Deadline is its last one.
Deadline after(std::chrono::nanoseconds duration);

inline pollfd readable(int fd) noexcept { return {fd, POLLIN, 0}; }
inline pollfd hung_up(int fd) noexcept { return {fd, 0, 0}; }

// What to wait for: `{readable(a), hung_up(b)}`. Negative descriptors are passed over. More than there
// is room for does not compile.
class Events {
public:
    static constexpr std::size_t room = 8;

    template <std::same_as<pollfd>... Event>
    Events(Event... events) noexcept  // NOLINT(google-explicit-constructor): a list of them
        requires(sizeof...(Event) <= room)
        : list_{events...}, count_(sizeof...(Event)) {}

    [[nodiscard]] std::span<pollfd> list() noexcept { return {list_.data(), count_}; }
    [[nodiscard]] std::span<const pollfd> list() const noexcept { return {list_.data(), count_}; }

private:
    std::array<pollfd, room> list_{};
    std::size_t count_;
};

// What a wait may come to, instead of the index of what is ready.
inline constexpr int at_the_deadline = -1;
inline constexpr int wait_failed = -2;  // errno says why; EINTR does not end a wait

// Waits until one of these is so, or the deadline (none: for ever) has passed.
int wait_for_any(Events events, const Deadline* deadline);

}  // namespace syncspawn::detail
