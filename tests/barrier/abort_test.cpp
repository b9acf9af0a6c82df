// An abort does not queue: what it supersedes, what still counts after it, and who is told what.

#include <doctest/doctest.h>

#include "support/both_sides.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

TEST_CASE("an abort supersedes the places that were not read yet") {
    for (const auto& read : {+[](Barrier& side) { return side.wait_next(); },
                             +[](Barrier& side) { return side.wait_for_place(1); },
                             +[](Barrier& side) { return side.place_and_sync(); },
                             +[](Barrier& side) { return side.poll_now(); }}) {
        auto sides = both_sides(
            [&](Barrier& side) {
                await_hang_up(side);
                expect_outcome(read(side), Outcome::aborted_there);
                expect_same(side.status().seen, 0);
                expect_outcome(side.wait_next(), Outcome::aborted_there);
            },
            [](Barrier& side) {
                place(side, 3);
                expect_outcome(side.abort(), Outcome::reached);
            });
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE("a satisfied sync does not look, so it does not find an abort either") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            expect_outcome(side.sync(), Outcome::reached);
            place(side);
            expect_counts(side, 1, 0);
            expect_outcome(side.sync(), Outcome::aborted_there);
        },
        [](Barrier& side) { expect_outcome(side.abort(), Outcome::reached); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a place after the peer's abort still counts until the abort is read") {
    auto sides = both_sides(
        [](Barrier& side) {
            await_hang_up(side);
            place(side);
            expect_same(static_cast<long long>(eventfd_count(side.native()->local_fd)), 1);
            expect_outcome(side.poll_now(), Outcome::aborted_there);
            expect_outcome(side.place(), Outcome::aborted_there);
            expect_same(static_cast<long long>(eventfd_count(side.native()->local_fd)), 1);
        },
        [](Barrier& side) { expect_outcome(side.abort(), Outcome::reached); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("aborting twice writes once") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.abort(), Outcome::reached);
            const auto count = eventfd_count(side.native()->local_fd);
            expect(count == INT64_MAX);
            expect_outcome(side.abort(), Outcome::reached);
            expect(eventfd_count(side.native()->local_fd) == count);
            expect_outcome(side.place(), Outcome::aborted_here);
            expect_outcome(side.wait_next(), Outcome::aborted_here);
            expect_outcome(side.wait_abortion(), Outcome::aborted_here);
            expect_outcome(side.abort(), Outcome::aborted_here);
        },
        [](Barrier& side) { await_event(side.native()->remote_fd); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("when both sides abort, each knows its own abort first") {
    const auto body = [](Barrier& side) {
        expect_outcome(side.abort(), Outcome::reached);
        expect_outcome(side.wait_abortion(), Outcome::aborted_here);
        expect(side.status().aborted_here && side.status().aborted_there);
        expect_outcome(side.poll_now(), Outcome::aborted_here);
    };
    auto sides = both_sides(body, body);
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("the first cause wins: an abort that was read stays the cause after the peer's exit") {
    auto sides = both_sides(
        [](Barrier& side) {
            expect_outcome(side.wait_next(), Outcome::aborted_there);
            await_hang_up(side);
            expect_outcome(side.wait_next(), Outcome::aborted_there);
            expect_outcome(side.poll_now(), Outcome::aborted_there);
            expect(!side.status().peer_gone);
            expect_outcome(side.abort(), Outcome::aborted_there);
            expect_outcome(side.abort(), Outcome::aborted_here);
        },
        [](Barrier& side) { expect_outcome(side.abort(), Outcome::reached); });
    CHECK_BOTH_REACHED_THE_END(sides);
}
