#pragma once

#include <chrono>
#include <ctime>
#include <string>

#include <syncspawn/barrier/barrier.hpp>

// Deadlines are of CLOCK_MONOTONIC: std::chrono::steady_clock, as everywhere on Linux.

namespace syncspawn::detail {

// Async-signal-safe, all but in_words().

inline constexpr long nanoseconds_per_second = 1'000'000'000;

constexpr timespec to_timespec(std::chrono::nanoseconds duration) noexcept {
    return {static_cast<std::time_t>(duration.count() / nanoseconds_per_second),
            static_cast<long>(duration.count() % nanoseconds_per_second)};
}

// As the kernel takes it. One from before the start of the clock counts as just there.
constexpr timespec to_timespec(Deadline deadline) noexcept {
    const std::chrono::nanoseconds since_start = deadline.time_since_epoch();
    return to_timespec(since_start.count() < 0 ? std::chrono::nanoseconds(0) : since_start);
}

// What is left until the deadline, and zero once it has passed: a ppoll(2) then looks exactly once.
inline timespec time_left(const timespec& deadline) noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (deadline.tv_sec < now.tv_sec) {
        return {0, 0};
    }
    timespec left{deadline.tv_sec - now.tv_sec, deadline.tv_nsec - now.tv_nsec};
    if (left.tv_nsec < 0) {
        left.tv_nsec += nanoseconds_per_second;
        --left.tv_sec;
    }
    return left.tv_sec < 0 ? timespec{0, 0} : left;
}

// So long from now; what is too long for a Deadline is its last one.
inline Deadline after(std::chrono::nanoseconds duration) noexcept {
    const Deadline now = std::chrono::steady_clock::now();
    return duration > Deadline::max() - now ? Deadline::max() : now + duration;
}

// "2 s", "1500 ms", "30 us".
inline std::string in_words(std::chrono::nanoseconds duration) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    if (milliseconds.count() == 0) {
        const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(duration);
        return std::to_string(microseconds.count()) + " us";
    }
    if (milliseconds.count() % 1000 == 0) {
        return std::to_string(milliseconds.count() / 1000) + " s";
    }
    return std::to_string(milliseconds.count()) + " ms";
}

}  // namespace syncspawn::detail
