// Waiting itself: it blocks, deadlines, signals, and what is left after a wait that was too short.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <iterator>

#include "support/both_sides.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr Deadline past{};

// Signals that reached this process, in memory that the harness and the other side see.
std::atomic<int>* signal_count = nullptr;

// In a peer: a SIGUSR1 every millisecond, with a handler that does or does not restart calls.
class SignalStorm {
public:
    SignalStorm(std::atomic<int>& count, int flags) {
        signal_count = &count;
        struct sigaction action {};
        action.sa_handler = [](int) { signal_count->fetch_add(1); };
        action.sa_flags = flags;
        sigaction(SIGUSR1, &action, nullptr);
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGUSR1;
        expect(timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0);
        const itimerspec every{{0, 1'000'000}, {0, 1'000'000}};
        expect(timer_settime(timer_, 0, &every, nullptr) == 0);
    }
    SignalStorm(const SignalStorm&) = delete;
    SignalStorm& operator=(const SignalStorm&) = delete;
    ~SignalStorm() { timer_delete(timer_); }

private:
    timer_t timer_{};
};

}  // namespace

TEST_CASE("every wait blocks until the peer does its part") {
    struct Wait {
        const char* name;
        Outcome (*run)(Barrier&);
    };
    const Wait waits[]{
        {"wait_next", [](Barrier& side) { return side.wait_next(); }},
        {"wait_for_place", [](Barrier& side) { return side.wait_for_place(1); }},
        {"sync_next", [](Barrier& side) { return place(side), side.sync_next(); }},
        {"sync", [](Barrier& side) { return place(side), side.sync(); }},
        {"place_and_sync", [](Barrier& side) { return side.place_and_sync(); }},
        {"wait_abortion", [](Barrier& side) { return side.wait_abortion(); }},
    };
    for (const Wait& wait : waits) {
        for (const Role role : {Role::parent, Role::child}) {
            CAPTURE(wait.name);
            CAPTURE(static_cast<int>(role));
            // Not a race: the harness opens the gate after it saw the waiter asleep, and what the
            // waiter checks in the end was set before the place or abort that woke it.
            const Gate gate;
            const Shared<std::atomic<bool>> was_woken;
            const auto waiter = [&](Barrier& side) {
                expect_outcome(wait.run(side), Outcome::reached);
                expect(*was_woken);
            };
            const auto waker = [&](Barrier& side) {
                gate.wait();
                *was_woken = true;
                place(side);
                if (&wait == std::end(waits) - 1) {
                    (void)side.abort();
                }
                await_hang_up(side);
            };
            BothSides sides =
                role == Role::parent ? both_sides(waiter, waker) : both_sides(waker, waiter);
            CHECK(is_blocked_in_a_wait((role == Role::parent ? sides.parent : sides.child).pid()));
            gate.open();
            CHECK_BOTH_REACHED_THE_END(sides);
        }
    }
}

TEST_CASE("a deadline in the past makes a wait a poll") {
    const Gate placed;
    auto sides = both_sides(
        [&](Barrier& side) {
            expect_outcome(side.wait_next_until(past), Outcome::timed_out);
            expect_outcome(side.wait_next_until(Deadline::min()), Outcome::timed_out);
            expect_outcome(side.place_and_sync_until(past), Outcome::timed_out);
            expect_counts(side, 1, 0);
            placed.open();
            await_event(side.native()->remote_fd);
            expect_outcome(side.sync_until(past), Outcome::reached);
            await_hang_up(side);
            expect_outcome(side.wait_next_until(past), Outcome::peer_gone);
        },
        [&](Barrier& side) {
            placed.wait();
            place(side);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a wait does not end before its deadline, and the barrier stays usable after it") {
    // Only the lower bound is checked; it holds however slow the machine is.
    const Gate late;
    auto sides = both_sides(
        [&](Barrier& side) {
            place(side, 3);
            for (const auto& wait : {&Barrier::wait_next_until, &Barrier::sync_next_until,
                                     &Barrier::sync_until, &Barrier::wait_abortion_until}) {
                const Deadline deadline = steady_clock::now() + milliseconds(5);
                expect_outcome((side.*wait)(deadline), Outcome::timed_out);
                expect(steady_clock::now() >= deadline);
            }
            late.open();
            expect_outcome(side.sync(), Outcome::reached);
        },
        [&](Barrier& side) {
            late.wait();
            place(side, 3);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("places that were read before the deadline stay counted") {
    const Gate third;
    auto sides = both_sides(
        [&](Barrier& side) {
            place(side, 3);
            expect_outcome(side.wait_for_place(2), Outcome::reached);
            expect_outcome(side.wait_for_place_until(3, past), Outcome::timed_out);
            expect_counts(side, 1, 2);
            third.open();
            expect_outcome(side.wait_for_place(3), Outcome::reached);
            expect_counts(side, 0, 3);
            expect_outcome(side.sync_until(past), Outcome::reached);
        },
        [&](Barrier& side) {
            place(side, 2);
            third.wait();
            place(side);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("deadlines at the ends of the clock's range work") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_next_until(Deadline::max()), Outcome::reached);
            expect_outcome(side.wait_for_place_until(9, Deadline::max()), Outcome::peer_gone);
        },
        [](Barrier& side) { place(side); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a signal never ends a wait") {
    for (const int flags : {0, SA_RESTART}) {
        // Not a race: the child places only after twenty signals reached the waiting parent.
        const Shared<std::atomic<int>> signals;
        auto sides = both_sides(
            [&](Barrier& side) {
                const SignalStorm storm(*signals, flags);
                expect_outcome(side.wait_next(), Outcome::reached);
                expect(*signals >= 20);
                expect_outcome(side.wait_abortion(), Outcome::reached);
            },
            [&](Barrier& side) {
                while (*signals < 20) {
                    expect_outcome(side.wait_next_until(steady_clock::now() + milliseconds(1)),
                                   Outcome::timed_out);
                }
                place(side);
            });
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE("a storm of signals does not stretch a deadline") {
    // Signals come every millisecond: a wait that began its 50 ms anew after each of them would
    // never end, and run into the watchdog.
    for (const int flags : {0, SA_RESTART}) {
        const Gate end;
        const Shared<std::atomic<int>> signals;
        auto sides = both_sides(
            [&](Barrier& side) {
                const SignalStorm storm(*signals, flags);
                const Deadline deadline = steady_clock::now() + milliseconds(50);
                expect_outcome(side.wait_next_until(deadline), Outcome::timed_out);
                expect(steady_clock::now() >= deadline);
                expect(*signals > 0);
                end.open();
            },
            [&](Barrier&) { end.wait(); });
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE("a waiter that is stopped and continued goes on waiting") {
    const Gate gate;
    auto sides =
        both_sides([](Barrier& side) { expect_outcome(side.wait_next(), Outcome::reached); },
                   [&](Barrier& side) {
                       gate.wait();
                       place(side);
                   });
    for (int times = 0; times < 3; ++times) {
        CHECK(is_blocked_in_a_wait(sides.parent.pid()));
        sides.parent.send(SIGSTOP);
        CHECK(comes_to_state(sides.parent.pid(), 'T'));
        sides.parent.send(SIGCONT);
    }
    CHECK(is_blocked_in_a_wait(sides.parent.pid()));
    gate.open();
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a stopped peer is neither in step nor gone: only a deadline ends the wait") {
    const Gate gate, timed_waits_are_over;
    auto sides = both_sides(
        [&](Barrier& side) {
            gate.wait();  // the child is stopped by now
            const Deadline deadline = steady_clock::now() + milliseconds(5);
            expect_outcome(side.place_and_sync_until(deadline), Outcome::timed_out);
            expect_outcome(side.poll_now(), Outcome::timed_out);
            timed_waits_are_over.open();
            expect_outcome(side.sync(), Outcome::reached);
        },
        [&](Barrier& side) {
            raise(SIGSTOP);
            expect_outcome(side.place_and_sync(), Outcome::reached);
        });
    CHECK(comes_to_state(sides.child.pid(), 'T'));
    gate.open();
    CHECK(timed_waits_are_over.wait());
    sides.child.send(SIGCONT);
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("poll_now never blocks, and notices a dead peer while nothing is owed") {
    const Gate end;
    auto sides = both_sides(
        [&](Barrier& side) {
            expect_outcome(side.poll_now(), Outcome::reached);
            place(side);
            expect_outcome(side.poll_now(), Outcome::timed_out);
            end.open();
            await_hang_up(side);
            expect_outcome(side.poll_now(), Outcome::peer_gone);
            expect_counts(side, 0, 1);
            expect_outcome(side.sync(), Outcome::reached);
            expect_outcome(side.poll_now(), Outcome::peer_gone);
        },
        [&](Barrier& side) {
            end.wait();
            place(side);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

namespace {

// In a peer: SIGUSR1 aborts this side.
void abort_by_signal(Barrier& side) {
    static Barrier* aborted = nullptr;
    aborted = &side;
    struct sigaction action {};
    action.sa_handler = [](int) { (void)aborted->abort(); };
    sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

// The signal is sent only once the side is seen to sleep.
TEST_CASE("an abort by a signal handler ends the wait that it interrupts") {
    const Gate may_end;
    const auto check_ends = [&](void (*wait)(Barrier&)) {
        auto sides = both_sides(
            [wait](Barrier& side) {
                abort_by_signal(side);
                wait(side);
            },
            [&](Barrier&) { may_end.wait(); });
        CHECK(is_blocked_in_a_wait(sides.parent.pid()));
        sides.parent.send(SIGUSR1);
        CHECK(sides.parent.ending() == reached_the_end);
        may_end.open();
        CHECK(sides.child.ending() == reached_the_end);
    };
    SUBCASE("with room for it") {
        check_ends([](Barrier& side) {
            expect_outcome(side.place_and_sync(), Outcome::aborted_here);
            expect_outcome(side.wait_next(), Outcome::aborted_here);
        });
    }
    SUBCASE("without room, where it closes the pipe that the wait looks at") {
        check_ends([](Barrier& side) {
            expect(eventfd_write(side.native()->local_fd, UINT64_MAX - 1) == 0);
            expect_outcome(side.wait_next(), Outcome::aborted_here);
            expect_outcome(side.wait_abortion(), Outcome::aborted_here);
        });
    }
    SUBCASE("a place that waits for room as well") {
        check_ends([](Barrier& side) {
            expect(eventfd_write(side.native()->local_fd, UINT64_MAX - 1) == 0);
            expect_outcome(side.place(), Outcome::aborted_here);
        });
    }
}

TEST_CASE("after an abort by a signal handler wait_abortion goes on for the peer") {
    const Gate may_end;
    auto sides = both_sides(
        [](Barrier& side) {
            abort_by_signal(side);
            expect_outcome(side.wait_abortion(), Outcome::aborted_here);
            expect(side.status().peer_gone);
        },
        [&](Barrier&) { may_end.wait(); });
    CHECK(is_blocked_in_a_wait(sides.parent.pid()));
    sides.parent.send(SIGUSR1);
    CHECK(is_blocked_in_a_wait(sides.parent.pid()));
    may_end.open();
    CHECK_BOTH_REACHED_THE_END(sides);
}
