#include "watch.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <span>
#include <system_error>

#include "barrier/fresh_descriptor.hpp"
#include "child_handle.hpp"

namespace syncspawn::detail {
namespace {

constexpr long nanoseconds_per_second = 1'000'000'000;

UniqueFd own(int fd, const char* call) {
    UniqueFd owned(core::above_standard_streams(fd));
    if (!owned) {
        throw std::system_error(errno, std::generic_category(), call);
    }
    return owned;
}

bool is_same(const pollfd& one, const pollfd& other) noexcept {
    return one.fd == other.fd && one.events == other.events;
}

}  // namespace

Watch::Watch()
    : epoll_(own(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      timer_(own(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")) {
    if (!add(readable(timer_.get()))) {
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
}

void Watch::set(std::initializer_list<pollfd> events, const Deadline* deadline) noexcept {
    std::array<pollfd, 5> wanted{};
    std::size_t count = 0;
    for (const pollfd& event : events) {
        if (event.fd >= 0 && count < wanted.size()) {
            wanted[count++] = event;
        }
    }
    const std::span<const pollfd> next(wanted.data(), count);
    if (!std::equal(next.begin(), next.end(), watched_.begin(), watched_.begin() + count_,
                    is_same)) {
        for (std::size_t index = 0; index < count_; ++index) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched_[index].fd, nullptr);
        }
        watched_ = wanted;
        count_ = count;
        sees_all_ =
            std::all_of(next.begin(), next.end(), [this](const pollfd& one) { return add(one); });
    }
    const Deadline soon = std::chrono::steady_clock::now() + look_every;
    const bool is_sooner = !sees_all_ && (deadline == nullptr || soon < *deadline);
    arm(is_sooner ? &soon : deadline);
}

bool Watch::add(const pollfd& event) noexcept {
    epoll_event wanted{};
    // The values are those of poll(2); a hang-up is always told.
    wanted.events = static_cast<std::uint32_t>(event.events);
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event.fd, &wanted) == 0;
}

void Watch::arm(const Deadline* deadline) noexcept {
    itimerspec time{};
    if (deadline != nullptr) {
        // A zero would disarm it.
        const auto count = std::max<std::int64_t>(deadline->time_since_epoch().count(), 1);
        time.it_value = {static_cast<time_t>(count / nanoseconds_per_second),
                         static_cast<long>(count % nanoseconds_per_second)};
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr);
}

}  // namespace syncspawn::detail
