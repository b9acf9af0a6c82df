#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>

// How long a stress test works. It does what it can in a span of time and says how much that was; only a
// wrong result fails it, never a slow machine.

namespace syncspawn::testing {

// One after the other in a loop: for (Span span; span.goes_on();) { ... }
class Span {
public:
    // A share of SYNCSPAWN_STRESS_SECONDS, or of ten seconds.
    explicit Span(double share = 1) : end_(began_ + share * whole()) {}

    // True for the first round, and as long as time is left. Counts the rounds.
    bool goes_on() noexcept {
        if (rounds_ > 0 && std::chrono::steady_clock::now() >= end_) {
            return false;
        }
        ++rounds_;
        return true;
    }
    [[nodiscard]] long rounds() const noexcept { return rounds_; }

    // One line of the test's output: "12345 places in 2.0 s".
    void report(const char* what, long per_round = 1) const noexcept {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
        std::printf("%ld %s in %.1f s\n", rounds_ * per_round, what, took.count());
        std::fflush(stdout);
    }

private:
    using Time = std::chrono::time_point<std::chrono::steady_clock, std::chrono::duration<double>>;

    static std::chrono::duration<double> whole() noexcept {
        const char* const seconds = std::getenv("SYNCSPAWN_STRESS_SECONDS");
        return std::chrono::duration<double>(seconds != nullptr ? std::atof(seconds) : 10);
    }

    Time began_ = std::chrono::steady_clock::now();
    Time end_;
    long rounds_ = 0;
};

}  // namespace syncspawn::testing
