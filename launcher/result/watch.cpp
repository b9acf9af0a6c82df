#include "watch.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <new>
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

void Watch::set_all(std::span<const pollfd> events, const Deadline* deadline) noexcept {
    if (!std::ranges::equal(events, watched_, is_same)) {
        replace(events);
    }
    const Deadline soon = std::chrono::steady_clock::now() + look_every;
    const bool is_sooner = !sees_all_ && (deadline == nullptr || soon < *deadline);
    (void)arm(is_sooner ? &soon : deadline);
}

void Watch::replace(std::span<const pollfd> events) noexcept {
    for (const pollfd& old : watched_) {
        if (old.fd >= 0) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, old.fd, nullptr);
        }
    }
    try {
        watched_.assign(events.begin(), events.end());
    } catch (const std::bad_alloc&) {
        watched_.clear();
        sees_all_ = false;
        return;
    }
    sees_all_ = true;
    for (auto one = watched_.begin(); one != watched_.end(); ++one) {
        // A part may wait for what the launch itself watches: the child's end, a cancellation.
        const bool is_there = std::any_of(
            watched_.begin(), one, [&](const pollfd& earlier) { return is_same(earlier, *one); });
        sees_all_ = (one->fd < 0 || is_there || add(*one)) && sees_all_;
    }
}

void Watch::let_go(int fd) noexcept {
    if (std::erase_if(watched_, [&](const pollfd& one) { return one.fd == fd; }) != 0) {
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
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
