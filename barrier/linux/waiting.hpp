#pragma once

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <span>

#include <syncspawn/barrier/barrier.hpp>

#include "time_left.hpp"

namespace syncspawn::detail {

// Between two looks at what nothing tells of.
inline constexpr auto look_every = std::chrono::milliseconds(2);

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
inline int wait_for_any_of(std::span<pollfd> watched, const Deadline* deadline) noexcept {
    for (;;) {
        timespec left{};
        if (deadline != nullptr) {
            left = time_left(to_timespec(*deadline));
        }
        const int ready =
            ppoll(watched.data(), watched.size(), deadline != nullptr ? &left : nullptr, nullptr);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready < 0) {
            errno = errno == EINVAL ? EMFILE : errno;  // more than RLIMIT_NOFILE: poll(2)
            return wait_failed;
        }
        const auto first = std::find_if(watched.begin(), watched.end(),
                                        [](const pollfd& one) { return one.revents != 0; });
        return ready > 0 ? static_cast<int>(first - watched.begin()) : at_the_deadline;
    }
}
inline int wait_for_any(Events events, const Deadline* deadline) noexcept {
    return wait_for_any_of(events.list(), deadline);
}

}  // namespace syncspawn::detail
