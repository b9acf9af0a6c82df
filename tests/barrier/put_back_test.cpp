// What put_back gives back: the places that were read and that no wait was for.

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include "support/both_sides.hpp"
#include "support/hand_over.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// The peer places three times and stays. The subject reads them by what it does, and then puts back.
template <class Read>
void check_of_three_places(Read read, std::int64_t balance, std::int64_t seen) {
    const Gate placed;
    auto sides = both_sides(
        [&](Barrier& side) {
            placed.wait();
            read(side);
            expect_same(side.status().seen, 3);
            for (int again = 0; again < 2; ++again) {
                expect_outcome(side.put_back(), Outcome::reached);
                expect_counts(side, balance, seen);
            }
            if (seen < 3) {  // they are there again, and for another holder too
                expect_outcome(side.wait_next(), Outcome::reached);
                expect_counts(side, balance - (3 - seen), 3);
            }
        },
        [&](Barrier& side) {
            place(side, 3);
            placed.open();
            await_hang_up(side);
        });
    CHECK_BOTH_REACHED_THE_END(sides);
}

}  // namespace

TEST_CASE("a wait for the next place has use for one") {
    check_of_three_places([](Barrier& side) { expect_outcome(side.wait_next(), Outcome::reached); },
                          -1, 1);
}

TEST_CASE("a wait for a place with a number has use for all up to that") {
    check_of_three_places(
        [](Barrier& side) { expect_outcome(side.wait_for_place(2), Outcome::reached); }, -2, 2);
}

TEST_CASE("a sync has use for as many places as this side made") {
    check_of_three_places(
        [](Barrier& side) {
            place(side, 2);
            expect_outcome(side.sync(), Outcome::reached);
        },
        0, 2);
}

TEST_CASE("a sync_next has use for one place, and for none where nothing is owed") {
    check_of_three_places(
        [](Barrier& side) {
            place(side, 2);
            expect_outcome(side.sync_next(), Outcome::reached);
        },
        1, 1);
    check_of_three_places(
        [](Barrier& side) {
            (void)side.poll_now();
            expect_outcome(side.sync_next(), Outcome::reached);
        },
        0, 0);
}

TEST_CASE("a look and a wait for an abort have use for no place") {
    check_of_three_places([](Barrier& side) { expect_outcome(side.poll_now(), Outcome::reached); },
                          0, 0);
    check_of_three_places(
        [](Barrier& side) { expect_outcome(side.try_wait_abortion(), Outcome::timed_out); }, 0, 0);
}

TEST_CASE("a look before a rendezvous makes no difference to what the rendezvous has use for") {
    check_of_three_places(
        [](Barrier& side) {
            (void)side.poll_now();
            expect_outcome(side.place_and_sync(), Outcome::reached);
        },
        0, 1);
}

TEST_CASE("what one wait had use for, a later one that needs less does not give away") {
    check_of_three_places(
        [](Barrier& side) {
            expect_outcome(side.wait_for_place(2), Outcome::reached);
            expect_outcome(side.sync(), Outcome::reached);
        },
        -2, 2);
}

TEST_CASE("a wait that was too short keeps what it has read of what it was for") {
    check_of_three_places(
        [](Barrier& side) {
            place(side, 4);
            expect_outcome(side.try_sync(), Outcome::timed_out);
        },
        1, 3);
    check_of_three_places(
        [](Barrier& side) { expect_outcome(side.try_wait_for_place(4), Outcome::timed_out); }, -3,
        3);
}

TEST_CASE("a wait that read nothing has use for nothing") {
    check_of_three_places(
        [](Barrier& side) {
            (void)side.poll_now();
            expect_outcome(side.try_wait_next(), Outcome::timed_out);
        },
        0, 0);
}

TEST_CASE("what was read before a hand-over is not given back behind it") {
    Peer peer([] {
        Exported exported;
        expect(eventfd_write(exported.barrier.native()->remote_fd, 2) == 0);
        expect_outcome(exported.barrier.poll_now(), Outcome::reached);
        export_to_environment(exported.barrier);
        AttachError error;
        Barrier attached = attach(error);
        expect(!error);
        expect_outcome(attached.put_back(), Outcome::reached);
        expect_counts(attached, -2, 2);
        *attached.native() = {};
    });
    CHECK(peer.ending() == reached_the_end);
}
