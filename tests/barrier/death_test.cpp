// Every way in which a side can end, and the two witnesses of it.

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/both_sides.hpp"
#include "support/observe.hpp"
#include "support/tracer.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr Deadline past{};

int open_pidfd(pid_t pid) {
    const long fd = syscall(SYS_pidfd_open, pid, 0);
    expect(fd >= 0);
    return static_cast<int>(fd);
}

struct Wait {
    const char* name;
    Outcome (*run)(Barrier&);
    Outcome after_death;
};

constexpr Wait waits[]{
    {"wait_next", [](Barrier& side) { return side.wait_next(); }, Outcome::peer_gone},
    {"wait_for_place", [](Barrier& side) { return side.wait_for_place(1); }, Outcome::peer_gone},
    {"sync_next",
     [](Barrier& side) {
         (void)side.place();
         return side.sync_next();
     },
     Outcome::peer_gone},
    {"place_and_sync", [](Barrier& side) { return side.place_and_sync(); }, Outcome::peer_gone},
    {"wait_abortion", [](Barrier& side) { return side.wait_abortion(); }, Outcome::reached},
};

// The child of the pair ends while a third process still holds its end of the pipe, until let_go.
struct ThirdHolder {
    ~ThirdHolder() { let_go.open(); }

    // `at_work` runs in the child before it ends.
    template <class Body>
    Peer fork_child(Barrier& barrier, Body at_work) const {
        return Peer([&barrier, at_work, this] {
            expect_outcome(barrier.set_role(Role::child), Outcome::reached);
            const Peer third([this] {
                prctl(PR_SET_PDEATHSIG, 0);  // it outlives the child
                is_there.open();
                let_go.wait();
            });
            is_there.wait();
            at_work(barrier);
            _exit(status_reached);  // without the destructor that would end the third
        });
    }

    Gate is_there, let_go;
};

}  // namespace

TEST_CASE("SIGKILL of either side ends every wait of the other") {
    for (const Wait& wait : waits) {
        for (const Role role : {Role::parent, Role::child}) {
            CAPTURE(wait.name);
            CAPTURE(static_cast<int>(role));
            const auto waiter = [&](Barrier& side) {
                expect_outcome(wait.run(side), wait.after_death);
                expect(side.status().peer_gone);
            };
            const auto victim = [](Barrier&) {
                for (;;) {
                    pause();
                }
            };
            BothSides sides =
                role == Role::parent ? both_sides(waiter, victim) : both_sides(victim, waiter);
            Peer& waiting = role == Role::parent ? sides.parent : sides.child;
            Peer& killed = role == Role::parent ? sides.child : sides.parent;
            // Killed only after the other was seen asleep in its wait.
            CHECK(is_blocked_in_a_wait(waiting.pid()));
            killed.send(SIGKILL);
            CHECK(waiting.ending() == reached_the_end);
            CHECK(killed.ending() == "killed by SIGKILL");
        }
    }
}

TEST_CASE("SIGKILL at a wait: the places made before it still count") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::peer_gone);
        },
        [](Barrier& side) {
            (void)side.place();
            (void)side.wait_for_place(2);
        });
    CHECK(is_blocked_in_a_wait(sides.child.pid()));
    sides.child.send(SIGKILL);
    CHECK(sides.parent.ending() == reached_the_end);
}

TEST_CASE("a crash is an exit") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(1), Outcome::reached);
            expect_outcome(side.wait_for_place(2), Outcome::peer_gone);
        },
        [](Barrier& side) {
            (void)side.place();
            signal(SIGSEGV, SIG_DFL);
            raise(SIGSEGV);
        });
    CHECK(sides.parent.ending() == reached_the_end);
    CHECK(sides.child.ending() == "killed by SIGSEGV");
}

TEST_CASE("execve without hand-over is an exit, though the process lives on") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(1), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::peer_gone);
        },
        [](Barrier& side) {
            (void)side.place();
            execl("/bin/sleep", "sleep", "1000", nullptr);
        });
    CHECK(sides.parent.ending() == reached_the_end);
    CHECK(state_of(sides.child.pid()) != 'Z');  // killed when this goes out of scope
}

TEST_CASE("a stopped peer that is killed ends the wait") {
    auto sides =
        both_sides([](Barrier& side) { expect_outcome(side.wait_next(), Outcome::peer_gone); },
                   [](Barrier&) { raise(SIGSTOP); });
    CHECK(comes_to_state(sides.child.pid(), 'T'));
    CHECK(is_blocked_in_a_wait(sides.parent.pid()));
    sides.child.send(SIGKILL);
    CHECK(sides.parent.ending() == reached_the_end);
}

TEST_CASE("a third holder of the pipe end hides a death until it lets go") {
    const ThirdHolder third;
    const Gate child_is_dead, looked;
    Barrier barrier = Barrier::create();
    Peer child = third.fork_child(barrier, [](Barrier& side) { (void)side.place(); });
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        child_is_dead.wait();
        expect_outcome(barrier.wait_next(), Outcome::reached);
        expect_outcome(barrier.wait_next_until(past), Outcome::timed_out);
        expect_outcome(barrier.poll_now(), Outcome::reached);
        looked.open();
        expect_outcome(barrier.wait_next(), Outcome::peer_gone);
    });
    barrier.destroy();
    CHECK(child.ending() == reached_the_end);
    child_is_dead.open();
    CHECK(looked.wait());
    CHECK(is_blocked_in_a_wait(parent.pid()));
    third.let_go.open();
    CHECK(parent.ending() == reached_the_end);
}

TEST_CASE("a pidfd sees the death that a third holder hides, and the exit still queues") {
    const ThirdHolder third;
    const Gate parent_watches, child_may_end;
    Barrier barrier = Barrier::create();
    Peer child = third.fork_child(barrier, [&](Barrier& side) {
        child_may_end.wait();
        (void)side.place();
        (void)side.place();
    });
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        const int pidfd = open_pidfd(child.pid());
        expect_outcome(barrier.watch_peer(pidfd), Outcome::reached);
        expect_outcome(barrier.poll_now(), Outcome::reached);
        parent_watches.open();
        await_event(pidfd);
        expect_outcome(barrier.place_and_sync(), Outcome::reached);
        expect_counts(barrier, -1, 2);
        expect_outcome(barrier.place_and_sync(), Outcome::reached);
        expect_outcome(barrier.wait_next(), Outcome::peer_gone);
        barrier.destroy();
        expect(is_open(pidfd));  // borrowed
    });
    barrier.destroy();
    CHECK(parent_watches.wait());
    child_may_end.open();
    CHECK(child.ending() == reached_the_end);
    CHECK(parent.ending() == reached_the_end);
    third.let_go.open();
}

TEST_CASE("with a pidfd a sleeping waiter is woken by the death that a third holder hides") {
    const ThirdHolder third;
    const Gate child_may_end;
    Barrier barrier = Barrier::create();
    Peer child = third.fork_child(barrier, [&](Barrier&) { child_may_end.wait(); });
    Peer parent([&] {
        expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
        expect_outcome(barrier.watch_peer(open_pidfd(child.pid())), Outcome::reached);
        expect_outcome(barrier.wait_abortion(), Outcome::reached);
        expect(barrier.status().peer_gone);
    });
    barrier.destroy();
    CHECK(is_blocked_in_a_wait(parent.pid()));
    child_may_end.open();
    CHECK(parent.ending() == reached_the_end);
    third.let_go.open();
}

TEST_CASE("one ppoll looks at the pidfd, at the pipe and then at the count, in this order") {
    // The kernel goes through the array in its order. With the count first, what a peer does
    // between the two looks would be lost; the tries it takes to see that are too many for a test.
    auto sides = both_sides(
        [](Barrier& side) {
            expect(dup2(open_pidfd(getpid()), 100) == 100);
            expect(dup2(side.native()->pipe_read_fd, 101) == 101);
            expect(dup2(side.native()->remote_fd, 102) == 102);
            side.native()->pipe_read_fd = 101;
            side.native()->remote_fd = 102;
            expect_outcome(side.watch_peer(100), Outcome::reached);
            stop_for_tracer();
            expect_outcome(side.wait_next(), Outcome::reached);
        },
        [](Barrier& side) { expect_outcome(side.place(), Outcome::reached); });
    Tracer tracer(sides.parent.pid());
    REQUIRE(tracer.run_to_exit_of(SYS_ppoll));
    pollfd watched[3]{};
    CHECK(tracer.arguments()[1] == 3);
    REQUIRE(tracer.read_memory(tracer.arguments()[0], watched, sizeof watched));
    for (int index = 0; index < 3; ++index) {
        CHECK(watched[index].fd == 100 + index);
    }
    tracer.let_go();
    CHECK(sides.parent.ending() == reached_the_end);
}

TEST_CASE("a failure closes the pipe, so the peer sees an end, and its errno stays") {
    const Gate end;
    auto sides = both_sides(
        [&](Barrier& side) {
            close(std::exchange(side.native()->remote_fd, -1));
            side.native()->remote_fd = 1 << 20;  // a number that is not open
            expect_outcome(side.wait_next(), Outcome::failed);
            expect_same(side.error().value(), EBADF);
            expect_same(side.status().failure, EBADF);
            expect_same(side.native()->pipe_read_fd, -1);
            expect_outcome(side.set_role(Role::parent), Outcome::failed);
            expect_same(side.error().value(), EINVAL);
            expect_outcome(side.sync(), Outcome::failed);
            expect_same(side.error().value(), EBADF);
            end.wait();
        },
        [&](Barrier& side) {
            expect_outcome(side.wait_next(), Outcome::peer_gone);
            end.open();
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}
