// What only many tries can show: that no place is lost, whatever its maker does right after it.

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "support/both_sides.hpp"
#include "support/sanitizers.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// The sanitizers look for other things, at many times the price.
constexpr int tries(int plain) { return is_sanitized ? plain / 20 : plain; }

constexpr Role other(Role role) { return role == Role::parent ? Role::child : Role::parent; }

// Two peers with one barrier of a batch after the other: the maker does something on each and
// destroys it at once, which is an exit; the watcher waits on each. Both run at full speed, so the
// watcher's looks fall before, between and after what the maker does.
template <class Make, class Watch>
void race_through(int count, Role maker_role, Make make, Watch watch) {
    constexpr int batch = 100;
    for (int done = 0; done < count; done += batch) {
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
}

}  // namespace

TEST_CASE("of twenty thousand peers that place and exit, none loses its place") {
    // A wait that looked at the count first and at the death second would lose some of them.
    Peer parent([] {
        alarm(4 * watchdog_seconds);  // longer than others: this one does the work of many
        for (int round = 0; round < tries(20000); ++round) {
            Barrier barrier = Barrier::create();
            const pid_t child = fork();
            if (child == 0) {
                (void)barrier.set_role(Role::child);
                (void)barrier.place();
                _exit(0);
            }
            expect_outcome(barrier.set_role(Role::parent), Outcome::reached);
            // Every other time with the second witness.
            const long pidfd = round % 2 == 0 ? syscall(SYS_pidfd_open, child, 0) : -1;
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
    });
    CHECK(parent.ending() == reached_the_end);
}

TEST_CASE("no place is lost when its maker destroys the barrier at once") {
    for (const Role maker : {Role::parent, Role::child}) {
        race_through(
            tries(60000), maker,
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
            tries(20000), maker,
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
        tries(20000), Role::child,
        [](Barrier& side) { expect_outcome(side.place(), Outcome::reached); },
        [](Barrier& side) {
            while (side.poll_now() != Outcome::peer_gone) {
            }
            expect_counts(side, -1, 1);
        });
}

TEST_CASE("of a million places made at full speed every one is counted") {
    constexpr int count = tries(1000000);
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(count), Outcome::reached);
            expect_outcome(side.wait_abortion(), Outcome::reached);
            expect_counts(side, -count, count);
        },
        [](Barrier& side) {
            for (int place = 0; place < count; ++place) {
                expect_outcome(side.place(), Outcome::reached);
            }
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("many thousand rendezvous in a row keep both sides in step") {
    const auto body = [](Barrier& side) {
        for (int round = 1; round <= tries(50000); ++round) {
            expect_outcome(side.place_and_sync(), Outcome::reached);
            // The other side is at most one place ahead, and never behind.
            expect(side.status().balance == 0 || side.status().balance == -1);
            expect(side.status().seen >= round);
        }
    };
    auto sides = both_sides(body, body);
    CHECK_BOTH_REACHED_THE_END(sides);
}
