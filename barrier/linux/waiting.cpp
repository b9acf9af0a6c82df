#include "waiting.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace syncspawn::detail {
namespace {

constexpr long nanoseconds_per_second = 1'000'000'000;

timespec time_until(Deadline deadline) {
    const Deadline now = std::chrono::steady_clock::now();
    if (deadline <= now) {
        return {0, 0};
    }
    const std::chrono::nanoseconds left = deadline - now;
    return {static_cast<time_t>(left.count() / nanoseconds_per_second),
            static_cast<long>(left.count() % nanoseconds_per_second)};
}

}  // namespace

Deadline after(std::chrono::nanoseconds duration) {
    const Deadline now = std::chrono::steady_clock::now();
    return duration > Deadline::max() - now ? Deadline::max() : now + duration;
}

int wait_for_any(Events events, const Deadline* deadline) {
    const std::span<pollfd> watched = events.list();
    for (;;) {
        timespec left{};
        if (deadline != nullptr) {
            left = time_until(*deadline);
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

}  // namespace syncspawn::detail
