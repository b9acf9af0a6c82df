// Tries, and what an event loop polls between two of them.

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "support/both_sides.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr std::uint64_t full = std::numeric_limits<std::uint64_t>::max() - 1;

struct Try {
    const char* name;
    Outcome (*once)(Barrier&);
    BarrierEvents (Barrier::*events)() const noexcept;
};

const Try waits[]{
    {"try_wait_next", [](Barrier& side) { return side.try_wait_next(); },
     &Barrier::events_for_wait},
    {"try_wait_for_place", [](Barrier& side) { return side.try_wait_for_place(1); },
     &Barrier::events_for_wait},
    {"try_sync_next", [](Barrier& side) { return side.try_sync_next(); },
     &Barrier::events_for_wait},
    {"try_sync", [](Barrier& side) { return side.try_sync(); }, &Barrier::events_for_wait},
};
const Try wait_abortion{"try_wait_abortion", [](Barrier& side) { return side.try_wait_abortion(); },
                        &Barrier::events_for_wait};
const Try try_place{"try_place", [](Barrier& side) { return side.try_place(); },
                    &Barrier::events_for_place};

// Nothing is ready: a loop that polls these does not spin.
void expect_quiet(BarrierEvents events) { expect(poll(events.data(), events.size(), 0) == 0); }

// The loop of an application, which must not wake in vain more often than the peer acts.
Outcome loop(Barrier& side, const Try& tried, int most_polls) {
    for (int polls = 0;; ++polls) {
        const Outcome outcome = tried.once(side);
        if (outcome != Outcome::timed_out) {
            return outcome;
        }
        expect(polls < most_polls);
        BarrierEvents events = (side.*tried.events)();
        expect(poll(events.data(), events.size(), -1) > 0);
    }
}

enum class PeerDoes { place, abort, end, make_room };

void act(Barrier& side, PeerDoes what) {
    switch (what) {
        case PeerDoes::place:
            return place(side);
        case PeerDoes::abort:
            return expect_outcome(side.abort(), Outcome::reached);
        case PeerDoes::make_room: {
            eventfd_t count = 0;
            return expect(eventfd_read(side.native()->remote_fd, &count) == 0 && count == full);
        }
        case PeerDoes::end:
            side.destroy();
    }
}

// Harness: the subject tries in vain and finds nothing to poll for; then the peer acts, and the subject's loop
// comes to its end. The peer stays until the subject is gone, unless its end is the point.
template <class Prepare>
void check_loop(const Try& tried, PeerDoes what, Outcome expected, Prepare prepare) {
    CAPTURE(tried.name);
    CAPTURE(static_cast<int>(what));
    for (const Role role : {Role::parent, Role::child}) {
        CAPTURE(static_cast<int>(role));
        const Gate has_tried;
        const auto subject = [&](Barrier& side) {
            prepare(side);
            expect_outcome(tried.once(side), Outcome::timed_out);
            expect_quiet((side.*tried.events)());
            has_tried.open();
            expect_outcome(loop(side, tried, 1), expected);
        };
        const auto peer = [&](Barrier& side) {
            has_tried.wait();
            act(side, what);
            if (side.is_open()) {
                await_hang_up(side);
            }
        };
        BothSides sides =
            role == Role::parent ? both_sides(subject, peer) : both_sides(peer, subject);
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

void owe_a_place(Barrier& side) { place(side); }
void fill(Barrier& side) { expect(eventfd_write(side.native()->local_fd, full) == 0); }

}  // namespace

TEST_CASE(
    "what a loop polls for a wait shows a place, an abort and an end of the peer, and no more") {
    for (const Try& tried : waits) {
        check_loop(tried, PeerDoes::place, Outcome::reached, owe_a_place);
        check_loop(tried, PeerDoes::abort, Outcome::aborted_there, owe_a_place);
        check_loop(tried, PeerDoes::end, Outcome::peer_gone, owe_a_place);
    }
    check_loop(wait_abortion, PeerDoes::abort, Outcome::reached, owe_a_place);
    check_loop(wait_abortion, PeerDoes::end, Outcome::reached, owe_a_place);
}

TEST_CASE(
    "what a loop polls for a place shows room, an abort and an end of the peer, and no more") {
    check_loop(try_place, PeerDoes::make_room, Outcome::reached, fill);
    check_loop(try_place, PeerDoes::abort, Outcome::aborted_there, fill);
    check_loop(try_place, PeerDoes::end, Outcome::peer_gone, fill);
}

TEST_CASE("a place that a try has read wakes no loop again, whatever that waits for") {
    for (const Try& tried : {wait_abortion, try_place}) {
        CAPTURE(tried.name);
        const Gate placed;
        auto sides = both_sides(
            [&](Barrier& side) {
                fill(side);
                placed.wait();
                BarrierEvents events = (side.*tried.events)();
                expect(poll(events.data(), events.size(), 0) == 1);
                expect_outcome(tried.once(side), Outcome::timed_out);
                expect_counts(side, -1, 1);
                expect_quiet((side.*tried.events)());
            },
            [&](Barrier& side) {
                place(side);
                placed.open();
                await_hang_up(side);
            });
        CHECK_BOTH_REACHED_THE_END(sides);
    }
}

TEST_CASE("a loop polls the pidfd, too, where there is one") {
    BarrierPair pair = Barrier::pair();
    Peer child([&] {
        const Barrier side = std::move(pair).child();
        await_hang_up(side);
    });
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, child.pid(), 0));
    Barrier side = std::move(pair).parent();
    const auto is_polled = [&](const BarrierEvents& events) {
        return std::any_of(events.begin(), events.end(), [&](const pollfd& entry) {
            return entry.fd == pidfd && entry.events == POLLIN;
        });
    };
    CHECK(side.events_for_wait().size() == 2);
    CHECK(side.events_for_place().size() == 3);
    REQUIRE(pidfd >= 0);
    REQUIRE(side.watch_peer(pidfd) == Outcome::reached);
    CHECK(side.events_for_wait().size() == 3);
    CHECK(is_polled(side.events_for_wait()));
    CHECK(is_polled(side.events_for_place()));
    side.destroy();
    CHECK(child.ending() == reached_the_end);
    close(pidfd);
}

TEST_CASE("epoll takes the entries as they are") {
    auto sides = both_sides(
        [](Barrier& side) {
            const int set = epoll_create1(EPOLL_CLOEXEC);
            for (const pollfd& entry : side.events_for_wait()) {
                epoll_event wanted{};
                wanted.events = static_cast<std::uint32_t>(entry.events);
                expect(epoll_ctl(set, EPOLL_CTL_ADD, entry.fd, &wanted) == 0);
            }
            for (const Outcome expected : {Outcome::reached, Outcome::peer_gone}) {
                epoll_event found{};
                expect(epoll_wait(set, &found, 1, -1) == 1);
                expect_outcome(side.try_wait_next(), expected);
            }
            close(set);
        },
        [](Barrier& side) { place(side); });
    CHECK_BOTH_REACHED_THE_END(sides);
}

TEST_CASE("a barrier that no try can wait for has nothing to be polled") {
    Barrier side = Barrier::create();
    CHECK(side.events_for_wait().size() == 0);  // no role yet
    REQUIRE(side.set_role(Role::parent) == Outcome::reached);
    CHECK(side.events_for_wait().size() == 2);
    close(std::exchange(side.native()->local_fd, -1));
    REQUIRE(side.try_place() == Outcome::failed);
    CHECK(side.events_for_place().size() == 0);
    side.destroy();
    CHECK(side.events_for_wait().size() == 0);
}
