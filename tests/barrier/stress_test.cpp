// What only many tries can show: that no place is lost, whatever its maker does right after it.

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "support/both_sides.hpp"
#include "support/span.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// Of the time that this program has.
constexpr double share = 0.125;

constexpr Role other(Role role) { return role == Role::parent ? Role::child : Role::parent; }

// Two peers with one barrier of a batch after the other: the maker does something on each and
// destroys it at once, which is an exit; the watcher waits on each. Both run at full speed, so the
// watcher's looks fall before, between and after what the maker does.
template <class Make, class Watch>
void race_through(const char* what, Role maker_role, Make make, Watch watch) {
    constexpr int batch = 100;
    Span span(share);
    while (span.goes_on()) {
        std::vector<Barrier> barriers;
        for (int index = 0; index < batch; ++index) {
            barriers.push_back(Barrier::create());
        }
        const auto with_each = [&barriers](Role role, auto& act) {
            return Peer([&barriers, role, &act] {
                for (Barrier& barrier : barriers) {
                    expect_outcome(barrier.set_role(role), Outcome::reached);
                }
                for (Barrier& barrier : barriers) {
                    act(barrier);
                    barrier.destroy();
                }
            });
        };
        Peer maker = with_each(maker_role, make);
        Peer watcher = with_each(other(maker_role), watch);
        barriers.clear();
        REQUIRE(maker.ending() == reached_the_end);
        REQUIRE(watcher.ending() == reached_the_end);
    }
    span.report(what, batch);
}

}  // namespace

TEST_CASE("of many peers that place and exit, none loses its place") {
    // A wait that looked at the count first and at the death second would lose some of them.
    Peer parent([] {
        Span span(share);
        while (span.goes_on()) {
            BarrierPair pair = Barrier::pair();
            const pid_t child = fork();
            if (child == 0) {
                (void)std::move(pair).child().place();
                _exit(0);
            }
            Barrier barrier = std::move(pair).parent();
            // Every other time with the second witness.
            const long pidfd = span.rounds() % 2 == 0 ? syscall(SYS_pidfd_open, child, 0) : -1;
            expect_outcome(barrier.watch_peer(static_cast<int>(pidfd)), Outcome::reached);
            expect_outcome(barrier.wait_next(), Outcome::reached);
            expect_counts(barrier, -1, 1);
            expect_outcome(barrier.wait_next(), Outcome::peer_gone);
            barrier.destroy();
            if (pidfd >= 0) {
                close(static_cast<int>(pidfd));
            }
            int status = 0;
            expect(waitpid(child, &status, 0) == child && status == 0);
        }
        span.report("peers that place and exit");
    });
    CHECK(parent.ending() == reached_the_end);
}

TEST_CASE("no place is lost when its maker destroys the barrier at once") {
    for (const Role maker : {Role::parent, Role::child}) {
        race_through(
            "places with an end right behind", maker,
            [](Barrier& side) { expect_outcome(side.place(), Outcome::reached); },
            [](Barrier& side) {
                expect_outcome(side.place(), Outcome::reached);
                expect_outcome(side.sync(), Outcome::reached);
                expect_outcome(side.wait_next(), Outcome::peer_gone);
            });
    }
}

TEST_CASE("no abort is lost when its maker destroys the barrier at once") {
    for (const Role maker : {Role::parent, Role::child}) {
        race_through(
            "aborts with an end right behind", maker,
            [](Barrier& side) {
                expect_outcome(side.place(), Outcome::reached);
                expect_outcome(side.abort(), Outcome::reached);
            },
            [](Barrier& side) {
                expect_outcome(side.wait_for_place(2), Outcome::aborted_there);
                expect_outcome(side.poll_now(), Outcome::aborted_there);
            });
    }
}

TEST_CASE("a poll never sees a death before the places that were made before it") {
    race_through(
        "places polled for", Role::child,
        [](Barrier& side) { expect_outcome(side.place(), Outcome::reached); },
        [](Barrier& side) {
            while (side.poll_now() != Outcome::peer_gone) {
            }
            expect_counts(side, -1, 1);
        });
}

TEST_CASE("of all places made at full speed every one is counted") {
    const Shared<std::atomic<long>> made;
    auto sides = both_sides(
        [&](Barrier& side) {
            expect_outcome(side.wait_abortion(), Outcome::reached);  // the end of the other side
            expect_counts(side, -*made, *made);
        },
        [&](Barrier& side) {
            Span span(share);
            while (span.goes_on()) {
                expect_outcome(side.place(), Outcome::reached);
            }
            *made = span.rounds();
            span.report("places at full speed");
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("many rendezvous in a row keep both sides in step") {
    const Shared<std::atomic<long>> last;  // round; 0: not known yet
    auto sides = both_sides(
        [&](Barrier& side) {
            Span span(share);
            while (span.goes_on()) {
                expect_outcome(side.place_and_sync(), Outcome::reached);
                // The other side is at most one place ahead, and never behind.
                expect(side.status().balance == 0 || side.status().balance == -1);
                expect(side.status().seen >= span.rounds());
            }
            span.report("rendezvous");
            *last =
                span.rounds() + 1;  // seen by the child once it has read the place of that round
            expect_outcome(side.place_and_sync(), Outcome::reached);
        },
        [&](Barrier& side) {
            for (long round = 1; *last == 0 || round <= *last; ++round) {
                expect_outcome(side.place_and_sync(), Outcome::reached);
                expect(side.status().balance == 0 || side.status().balance == -1);
                expect(side.status().seen >= round);
            }
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}
