#include "barrier/linux/time_left.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>

using namespace syncspawn;
using namespace syncspawn::detail;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

bool is(const timespec& time, std::time_t seconds, long nanoseconds) {
    return time.tv_sec == seconds && time.tv_nsec == nanoseconds;
}

timespec now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

}  // namespace

TEST_CASE("a deadline is given to the kernel as seconds and nanoseconds") {
    CHECK(is(to_timespec(1500ms), 1, 500'000'000));
    CHECK(is(to_timespec(Deadline(2s + 1ns)), 2, 1));
    CHECK(is(to_timespec(Deadline(-1ns)), 0, 0));
    CHECK(is(to_timespec(Deadline::min()), 0, 0));
    CHECK(is(to_timespec(Deadline::max()), 9'223'372'036, 854'775'807));
}

TEST_CASE("nothing is left of a deadline that has passed") {
    CHECK(is(time_left({0, 0}), 0, 0));
    CHECK(is(time_left({std::numeric_limits<std::time_t>::min(), 0}), 0, 0));
    CHECK(is(time_left(now()), 0, 0));
}

TEST_CASE("what is left of a deadline is never more than there was, and a whole time") {
    // Between the two looks at the clock any time may pass, but none of it is negative.
    for (const long nanoseconds : {0L, 1L, 999'999'999L}) {
        CAPTURE(nanoseconds);
        const timespec begin = now();
        const timespec left = time_left({begin.tv_sec + 3600, nanoseconds});
        CHECK(left.tv_nsec >= 0);
        CHECK(left.tv_nsec < nanoseconds_per_second);
        CHECK(left.tv_sec <= 3600);
        CHECK(left.tv_sec > 0);
    }
    const timespec last{std::numeric_limits<std::time_t>::max(), 999'999'999};
    CHECK(time_left(last).tv_sec > 0);
}

TEST_CASE("a duration that is too long for a deadline is the last one") {
    CHECK(after(std::chrono::nanoseconds::max()) == Deadline::max());
    const Deadline before = steady_clock::now();
    const Deadline deadline = after(1h);
    CHECK(deadline >= before + 1h);
    CHECK(deadline <= steady_clock::now() + 1h);
    CHECK(after(-1h) < before);
}

TEST_CASE("a duration in words has the unit that suits it") {
    CHECK(in_words(0ns) == "0 us");
    CHECK(in_words(30us) == "30 us");
    CHECK(in_words(999us) == "999 us");
    CHECK(in_words(1ms) == "1 ms");
    CHECK(in_words(1500ms) == "1500 ms");
    CHECK(in_words(1s) == "1 s");
    CHECK(in_words(2min) == "120 s");
}
