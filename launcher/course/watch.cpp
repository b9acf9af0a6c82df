#include "watch.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <system_error>

#include "barrier/linux/owned_descriptor.hpp"

namespace syncspawn::detail {
namespace {

bool is_same(const pollfd& one, const pollfd& other) noexcept {
    return one.fd == other.fd && one.events == other.events;
}

}  // namespace

Watch::Watch()
    : epoll_(owned(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      timer_(owned(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")) {
    if (!add(readable(timer_.get()))) {
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
    // Where a filter refuses this, it is told here: later nobody could be woken at a deadline.
    if (!arm(nullptr)) {
        throw std::system_error(errno, std::generic_category(), "timerfd_settime");
    }
}

void Watch::set(const Events& events, const Deadline* deadline) noexcept {
    if (!std::ranges::equal(events.list(), watched_.list(), is_same)) {
        for (const pollfd& old : watched_.list()) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, old.fd, nullptr);
        }
        watched_ = events;
        sees_all_ = true;
        const auto all = watched_.list();
        for (auto one = all.begin(); one != all.end(); ++one) {
            // A part may wait for what the launch itself watches: the child's end, a cancellation.
            const bool is_there = std::any_of(
                all.begin(), one, [&](const pollfd& earlier) { return is_same(earlier, *one); });
            sees_all_ = (one->fd < 0 || is_there || add(*one)) && sees_all_;
        }
    }
    const Deadline soon = std::chrono::steady_clock::now() + look_every;
    const bool is_sooner = !sees_all_ && (deadline == nullptr || soon < *deadline);
    (void)arm(is_sooner ? &soon : deadline);
}

bool Watch::add(const pollfd& event) noexcept {
    epoll_event wanted{};
    // The values are those of poll(2); a hang-up is always told.
    wanted.events = static_cast<std::uint32_t>(event.events);
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event.fd, &wanted) == 0;
}

bool Watch::arm(const Deadline* deadline) noexcept {
    itimerspec time{};
    if (deadline != nullptr) {
        constexpr Deadline not_zero{std::chrono::nanoseconds(1)};  // which would disarm it
        time.it_value = to_timespec(std::max(*deadline, not_zero));
    }
    return timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr) == 0;
}

}  // namespace syncspawn::detail
