// The plain case of every operation, and the rules about exit and misuse.

#include <doctest/doctest.h>

#include <atomic>
#include <tuple>

#include "support/both_sides.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr Deadline past{};

// What one side did is visible to the other as soon as its place is read.
using Flag = Shared<std::atomic<bool>>;

// All that a side knows but its last error.
auto state_of(const syncspawn_barrier& side) {
    return std::tuple(side.is_open, side.role, side.local_fd, side.remote_fd, side.pipe_read_fd,
                      side.pipe_write_fd, side.peer_pidfd, side.abort_state, side.distrusts_peer,
                      side.failure, side.balance, side.seen, side.used);
}

}  // namespace

TEST_CASE("place_and_sync on both sides is a rendezvous") {
    // Not a race: each flag is set before the place that the other side waits for.
    const Flag parent_came, child_came;
    auto sides = both_sides(
        [&](Barrier& side) {
            *parent_came = true;
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect(*child_came);
            expect_counts(side, 0, 1);
        },
        [&](Barrier& side) {
            *child_came = true;
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect(*parent_came);
            expect_counts(side, 0, 1);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("wait_next takes all pending places in one go and does not look at own places") {
    auto sides = both_sides(
        [](Barrier& side) {
            place(side);
            await_hang_up(side);  // all three are there
            expect_outcome(side.wait_next(), Outcome::reached);
            expect_counts(side, -2, 3);
            expect_outcome(side.wait_next(), Outcome::peer_gone);
        },
        [](Barrier& side) { place(side, 3); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("sync_next waits for one more of the peer's places, sync for as many as were made here") {
    // Hand over hand: the child places again only after the parent let it, through a gate.
    const Gate more;
    auto sides = both_sides(
        [&](Barrier& side) {
            place(side, 3);
            expect_outcome(side.sync_next(), Outcome::reached);
            expect_counts(side, 2, 1);
            expect_outcome(side.sync_until(past), Outcome::timed_out);
            more.open();
            expect_outcome(side.sync(), Outcome::reached);
            expect_counts(side, 0, 3);
        },
        [&](Barrier& side) {
            place(side);
            more.wait();
            place(side, 2);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("sync and sync_next with nothing owed are reached at once and read nothing") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            expect_outcome(side.sync(), Outcome::reached);
            expect_outcome(side.sync_next(), Outcome::reached);
            expect_counts(side, 0, 0);
            expect_outcome(side.wait_next(), Outcome::reached);
            expect_counts(side, -5, 5);
            place(side, 5);
            expect_outcome(side.sync(), Outcome::reached);
        },
        [](Barrier& side) { place(side, 5); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("wait_for_place names the place it waits for, since the start") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(2), Outcome::reached);
            expect(side.status().seen >= 2);
            expect_outcome(side.wait_for_place(1), Outcome::reached);
            expect_outcome(side.wait_for_place(0), Outcome::reached);
            expect_outcome(side.wait_for_place(-1), Outcome::reached);
            expect_outcome(side.wait_for_place(4), Outcome::reached);
            expect_counts(side, -4, 4);
            expect_outcome(side.wait_for_place(5), Outcome::peer_gone);
            expect_outcome(side.wait_for_place(4), Outcome::reached);
        },
        [](Barrier& side) { place(side, 4); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("wait_abortion counts the places met on the way, and ends with the peer's abort") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_abortion(), Outcome::reached);
            expect(side.status().aborted_there);
            expect_outcome(side.wait_abortion(), Outcome::reached);
        },
        [](Barrier& side) {
            place(side, 2);
            expect_outcome(side.abort(), Outcome::reached);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
    auto counting = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_abortion(), Outcome::reached);
            expect(side.status().peer_gone);
            expect_counts(side, -2, 2);
            expect_outcome(side.wait_abortion(), Outcome::reached);
        },
        [](Barrier& side) { place(side, 2); });
    CHECK_BOTH_REACHED_THE_END(counting);
}

TEST_CASE("an exit queues behind the places made before it") {
    auto sides = both_sides(
        [](Barrier& side) {
            place(side, 2);
            await_hang_up(side);
            expect_outcome(side.sync_next(), Outcome::reached);
            expect_outcome(side.sync(), Outcome::reached);
            place(side);
            expect_outcome(side.sync(), Outcome::peer_gone);
            expect_counts(side, 1, 2);
            expect_outcome(side.sync(), Outcome::peer_gone);
        },
        [](Barrier& side) { place(side, 2); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a latched death never fails a wait that the counts satisfy") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(2), Outcome::peer_gone);
            expect(side.status().peer_gone);
            expect_counts(side, -1, 1);
            expect_outcome(side.sync(), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::reached);
            expect_outcome(side.wait_for_place(1), Outcome::reached);
            expect_outcome(side.place_and_sync(), Outcome::peer_gone);
        },
        [](Barrier& side) { place(side); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a dead peer is invisible to place and to a satisfied sync, and wait_next sees it") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            expect_outcome(side.sync(), Outcome::reached);
            place(side);
            expect(!side.status().peer_gone);
            expect_outcome(side.wait_next(), Outcome::peer_gone);
            place(side);
        },
        [](Barrier&) {});
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a destroyed barrier is an exit for the peer, though its process lives on") {
    const Gate end;
    auto sides = both_sides(
        [&](Barrier& side) {
            expect_outcome(side.wait_next(), Outcome::reached);
            expect_outcome(side.wait_next(), Outcome::peer_gone);
            end.open();
        },
        [&](Barrier& side) {
            place(side);
            side.destroy();
            end.wait();
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a forgotten set_role is misuse and changes nothing") {
    Barrier side = Barrier::create();
    for (const auto& operation :
         {&Barrier::place, &Barrier::abort, &Barrier::wait_next, &Barrier::sync_next,
          &Barrier::sync, &Barrier::place_and_sync, &Barrier::wait_abortion, &Barrier::poll_now}) {
        CHECK((side.*operation)() == Outcome::failed);
        CHECK(side.error().value() == EINVAL);
    }
    CHECK(side.wait_for_place(0) == Outcome::failed);
    CHECK(side.status().failure == 0);
    CHECK(eventfd_count(side.native()->local_fd) == 0);
    CHECK(side.set_role(Role::parent) == Outcome::reached);
    CHECK(side.place() == Outcome::reached);
}

TEST_CASE("a second set_role is misuse and changes nothing") {
    Barrier side = Barrier::create();
    REQUIRE(side.set_role(Role::child) == Outcome::reached);
    const syncspawn_barrier before = *side.native();
    for (const Role role : {Role::parent, Role::child}) {
        CHECK(side.set_role(role) == Outcome::failed);
        CHECK(side.error().value() == EINVAL);
        CHECK(state_of(*side.native()) == state_of(before));
    }
}

TEST_CASE("set_role knows two roles") {
    Barrier side = Barrier::create();
    CHECK(side.set_role(static_cast<Role>(0)) == Outcome::failed);
    CHECK(side.set_role(static_cast<Role>(3)) == Outcome::failed);
    CHECK(side.set_role(Role::parent) == Outcome::reached);
}

TEST_CASE("outcomes have names") {
    CHECK(std::string(to_string(Outcome::reached)) == "reached");
    CHECK(std::string(to_string(Outcome::aborted_here)) == "aborted_here");
    CHECK(std::string(to_string(Outcome::aborted_there)) == "aborted_there");
    CHECK(std::string(to_string(Outcome::peer_gone)) == "peer_gone");
    CHECK(std::string(to_string(Outcome::timed_out)) == "timed_out");
    CHECK(std::string(to_string(Outcome::failed)) == "failed");
    CHECK(std::string(to_string(static_cast<Outcome>(77))) == "unknown");
}
