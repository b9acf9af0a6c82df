// A counter without room, counts beyond the range, and a peer that does what it must not.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>

#include "support/both_sides.hpp"
#include "support/observe.hpp"
#include "support/tracer.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr Deadline past{};
constexpr std::uint64_t full = std::numeric_limits<std::uint64_t>::max() - 1;
constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();

void fill(Barrier& side) { expect(eventfd_write(side.native()->local_fd, full) == 0); }

void add(Barrier& side, std::int64_t places) {
    expect(eventfd_write(side.native()->local_fd, static_cast<std::uint64_t>(places)) == 0);
}

// In a peer: this system call ends with this error from now on.
void refuse(unsigned system_call, int error) {
    sock_filter program[]{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{4, program};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
}

}  // namespace

TEST_CASE("place waits for room without spinning, and goes on when there is some") {
    const Gate drain;
    auto sides = both_sides(
        [](Barrier& side) {
            fill(side);
            expect_outcome(side.place(), Outcome::reached);
            expect_counts(side, 1, 0);
        },
        [&](Barrier& side) {
            drain.wait();
            eventfd_t count = 0;
            expect(eventfd_read(side.native()->remote_fd, &count) == 0 && count == full);
            expect_outcome(side.wait_next(), Outcome::reached);
        });
    // Asleep in one ppoll, and it stays that sleep: a place that spins wakes or never sleeps.
    CHECK(is_blocked_in_a_wait(sides.parent.pid()));
    const long sleeps = sleeps_of(sides.parent.pid());
    for (int look = 0; look < 20; ++look) {
        CHECK(is_blocked_in_a_wait(sides.parent.pid()));
        CHECK(sleeps_of(sides.parent.pid()) == sleeps);
    }
    drain.open();
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("place without room ends with the peer's death, and with the deadline") {
    const Gate timed_out;
    auto sides = both_sides(
        [&](Barrier& side) {
            fill(side);
            expect_outcome(side.place_until(past), Outcome::timed_out);
            const Deadline deadline = steady_clock::now() + milliseconds(5);
            expect_outcome(side.place_and_sync_until(deadline), Outcome::timed_out);
            expect(steady_clock::now() >= deadline);
            expect_counts(side, 0, 0);
            timed_out.open();
            expect_outcome(side.place(), Outcome::peer_gone);
            expect_counts(side, 0, 0);
            expect(side.status().peer_gone);
            expect_outcome(side.place(), Outcome::peer_gone);
        },
        [](Barrier&) {
            for (;;) {
                pause();
            }
        });
    CHECK(timed_out.wait());
    CHECK(is_blocked_in_a_wait(sides.parent.pid()));
    sides.child.send(SIGKILL);
    CHECK(sides.parent.ending() == reached_the_end);
}

TEST_CASE("place without room reads the places of a dead peer before it finds it dead") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            fill(side);
            expect_outcome(side.place(), Outcome::peer_gone);
            expect_counts(side, -2, 2);
            expect_outcome(side.wait_for_place(2), Outcome::reached);
        },
        [](Barrier& side) { place(side, 2); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("place without room ends with the peer's abort") {
    const Gate may_end;
    auto sides = both_sides(
        [](Barrier& side) {
            fill(side);
            expect_outcome(side.place(), Outcome::aborted_there);
        },
        [&](Barrier& side) {
            expect_outcome(side.abort(), Outcome::reached);
            may_end.wait();
        });
    CHECK(sides.parent.ending() == reached_the_end);
    may_end.open();
    CHECK(sides.child.ending() == reached_the_end);
}

// As many as fill a counter read as an abort, and who has read it has made room.
TEST_CASE("two sides without room do not wait for each other") {
    const Gate parent_is_full;
    const Gate child_is_full;
    const auto side_with = [](const Gate& own, const Gate& other) {
        return [&](Barrier& side) {
            fill(side);
            own.open();
            other.wait();
            const Outcome outcome = side.place();
            expect(outcome == Outcome::aborted_there || outcome == Outcome::reached);
        };
    };
    auto sides = both_sides(side_with(parent_is_full, child_is_full),
                            side_with(child_is_full, parent_is_full));
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("abort without room never waits: it closes the pipe, which the peer sees as an end") {
    for (const Role role : {Role::parent, Role::child}) {
        CAPTURE(static_cast<int>(role));
        // The aborting side lives until the other saw its end.
        const Gate seen;
        const auto aborting = [&](Barrier& side) {
            fill(side);
            expect_outcome(side.abort(), Outcome::reached);
            expect_same(side.native()->pipe_read_fd, -1);
            expect_same(side.native()->pipe_write_fd, -1);
            expect_outcome(side.abort(), Outcome::aborted_here);
            expect_outcome(side.place(), Outcome::aborted_here);
            // Its only witness is closed, so there is nothing left to wait for.
            expect_outcome(side.wait_abortion(), Outcome::aborted_here);
            seen.wait();
        };
        const auto other = [&](Barrier& side) {
            await_hang_up(side);
            expect(eventfd_count(side.native()->remote_fd) == full);
            expect_outcome(side.wait_next(), Outcome::aborted_there);
            seen.open();
        };
        BothSides sides =
            role == Role::parent ? both_sides(aborting, other) : both_sides(other, aborting);
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

// A pidfd shows the death of a process, not that a living one has closed its side.
TEST_CASE("after an abort without room nothing is waited for, with a pidfd neither") {
    const Gate over;
    Barrier barrier = Barrier::create();
    Peer child([&] {
        expect_outcome(barrier.set_role(Role::child), Outcome::reached);
        fill(barrier);
        barrier.destroy();
        over.wait();
    });
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        const long pidfd = syscall(SYS_pidfd_open, child.pid(), 0);
        expect(pidfd >= 0);
        expect_outcome(barrier.watch_peer(static_cast<int>(pidfd)), Outcome::reached);
        fill(barrier);
        expect_outcome(barrier.abort(), Outcome::reached);
        expect_outcome(barrier.wait_abortion(), Outcome::aborted_here);
        expect(barrier.status().peer_gone);
    });
    barrier.destroy();
    CHECK(parent.ending() == reached_the_end);
    over.open();
    CHECK(child.ending() == reached_the_end);
}

TEST_CASE("the largest number of places is places, one more is an abort") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            expect_outcome(side.wait_next(), Outcome::reached);
            expect_counts(side, -(largest - 1), largest - 1);
        },
        [](Barrier& side) { add(side, largest - 1); });
    CHECK_BOTH_REACHED_THE_END(sides);
    auto one_more = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            expect_outcome(side.wait_next(), Outcome::aborted_there);
            expect_counts(side, 0, 0);
        },
        [](Barrier& side) { add(side, largest); });
    CHECK_BOTH_REACHED_THE_END(one_more);
}

TEST_CASE("counts beyond the range stop at its ends, and every new place is still noticed") {
    auto sides = both_sides(
        [](Barrier& side) {
            for (int round = 0; round < 4; ++round) {
                expect_outcome(side.place(), Outcome::reached);
                expect_outcome(side.wait_next(), Outcome::reached);
            }
            expect_counts(side, smallest, largest);
            expect_outcome(side.wait_for_place(largest), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_counts(side, smallest + 1, largest);
        },
        [](Barrier& side) {
            for (const std::int64_t places :
                 {largest - 1, largest - 1, std::int64_t{1}, largest - 1}) {
                expect_outcome(side.wait_next(), Outcome::reached);
                add(side, places);
            }
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a peer that never stops placing cannot hold a poll or stretch a deadline") {
    // Such a peer in one process: an eventfd that gives one place per read, 2^62 times.
    auto sides = both_sides(
        [](Barrier& side) {
            const int endless = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
            expect(eventfd_write(endless, std::uint64_t{1} << 62) == 0);
            expect(dup2(endless, side.native()->remote_fd) >= 0);
            expect_outcome(side.poll_now(), Outcome::reached);
            expect_outcome(side.wait_abortion_until(past), Outcome::timed_out);
            const Deadline deadline = steady_clock::now() + milliseconds(5);
            expect_outcome(side.wait_for_place_until(largest, deadline), Outcome::timed_out);
            expect(steady_clock::now() >= deadline);
        },
        [](Barrier& side) { await_hang_up(side); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("abort gives the counter its O_NONBLOCK back, so a hostile peer cannot block it") {
    for (const Role role : {Role::parent, Role::child}) {
        CAPTURE(static_cast<int>(role));
        const Gate prepared;
        const auto aborting = [&](Barrier& side) {
            prepared.wait();
            expect_outcome(side.abort(), Outcome::reached);
            expect((fcntl(side.native()->local_fd, F_GETFL) & O_NONBLOCK) != 0);
        };
        const auto hostile = [&](Barrier& side) {
            expect(fcntl(side.native()->remote_fd, F_SETFL, O_RDWR) == 0);
            expect(eventfd_write(side.native()->remote_fd, full) == 0);
            prepared.open();
            await_hang_up(side);
        };
        BothSides sides =
            role == Role::parent ? both_sides(aborting, hostile) : both_sides(hostile, aborting);
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE(
    "a place takes the flag back where the peer is not trusted, and then meets a full counter") {
    for (const Role role : {Role::parent, Role::child}) {
        CAPTURE(static_cast<int>(role));
        const Gate prepared;
        const auto placing = [&](Barrier& side) {
            expect_outcome(side.distrust_peer(), Outcome::reached);
            prepared.wait();
            expect_outcome(side.try_place(), Outcome::timed_out);
            expect((fcntl(side.native()->local_fd, F_GETFL) & O_NONBLOCK) != 0);
            BarrierEvents events = side.events_for_place();
            expect(poll(events.data(), events.size(), 0) == 0);  // no room, and nothing else
        };
        const auto hostile = [&](Barrier& side) {
            expect(fcntl(side.native()->remote_fd, F_SETFL, O_RDWR) == 0);
            expect(eventfd_write(side.native()->remote_fd, full) == 0);
            prepared.open();
            await_hang_up(side);
        };
        BothSides sides =
            role == Role::parent ? both_sides(placing, hostile) : both_sides(hostile, placing);
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE("what is put back never looks like an abort, however much was read") {
    auto sides = both_sides(
        [](Barrier& side) {
            for (int round = 0; round < 2; ++round) {  // as much as a count can say, and more
                expect(eventfd_write(side.native()->remote_fd, largest - 1) == 0);
                expect_outcome(side.poll_now(), Outcome::reached);
            }
            expect_counts(side, smallest, largest);
            expect_outcome(side.put_back(), Outcome::reached);
            expect_same(side.status().seen, 1);
            expect_outcome(side.poll_now(), Outcome::reached);
        },
        [](Barrier& side) { await_hang_up(side); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE(
    "putting back does not block though a hostile peer takes the flag and fills the counter") {
    const Gate taken;
    const Gate filled;
    auto sides = both_sides(
        [&](Barrier& side) {
            await_event(side.native()->remote_fd);
            expect_outcome(side.poll_now(), Outcome::reached);
            expect_counts(side, -1, 1);
            taken.open();
            filled.wait();
            // The full counter is an abort, which supersedes the place.
            expect_outcome(side.put_back(), Outcome::reached);
            expect_outcome(side.wait_next(), Outcome::aborted_there);
        },
        [&](Barrier& side) {
            place(side);
            taken.wait();
            expect(fcntl(side.native()->local_fd, F_SETFL, O_RDWR) == 0);
            fill(side);
            filled.open();
            await_hang_up(side);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a parent's read does not block though a hostile child takes the flag and the count") {
    // The harness plays the child and holds the parent between its look and its read: stopped
    // there by ptrace, so nothing races.
    Barrier barrier = Barrier::create();
    Barrier held = Barrier(*barrier.native());     // the harness's copy, closed at the end
    const int counter = held.native()->remote_fd;  // the parent's remote: the child's local
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        stop_for_tracer();
        expect_outcome(barrier.wait_next(), Outcome::reached);
    });
    REQUIRE(fcntl(counter, F_SETFL, O_RDWR) == 0);
    REQUIRE(eventfd_write(counter, 1) == 0);
    Tracer tracer(parent.pid());
    REQUIRE(tracer.run_to_exit_of(SYS_ppoll));
    eventfd_t stolen = 0;
    REQUIRE(eventfd_read(counter, &stolen) == 0);
    REQUIRE(stolen == 1);
    tracer.let_go();
    CHECK(is_blocked_in_a_wait(parent.pid()));
    REQUIRE(eventfd_write(counter, 1) == 0);
    CHECK(parent.ending() == reached_the_end);
    *barrier.native() = {};  // one copy closes, not both
}

TEST_CASE("where a read that does not block cannot be asked for, the flag has to do") {
    for (const int error : {ENOSYS, EOPNOTSUPP, EPERM, EINVAL}) {
        CAPTURE(error);
        auto sides = both_sides(
            [&](Barrier& side) {
                refuse(SYS_preadv2, error);
                expect_outcome(side.poll_now(), Outcome::reached);
                expect_outcome(side.place_and_sync(), Outcome::reached);
                expect_outcome(side.wait_next(), Outcome::peer_gone);
            },
            [](Barrier& side) { expect_outcome(side.place_and_sync(), Outcome::reached); });
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE("a remote descriptor that is no eventfd fails the wait") {
    auto sides = both_sides(
        [](Barrier& side) {
            int ends[2];
            expect(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
            expect(write(ends[1], "x", 1) == 1);
            expect(dup2(ends[0], side.native()->remote_fd) >= 0);
            expect_outcome(side.wait_next(), Outcome::failed);
            expect_same(side.error().value(), EIO);
        },
        [](Barrier& side) { expect_outcome(side.wait_next(), Outcome::peer_gone); });
    CHECK_BOTH_REACHED_THE_END(sides);
}
