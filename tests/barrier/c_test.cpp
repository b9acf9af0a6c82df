// The C twin: its return values, from C++ and from a file compiled as C.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <limits>

#include <syncspawn/barrier.hpp>

#include "support/c_sides.h"
#include "support/hand_over.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"

using namespace syncspawn::testing;

namespace {

constexpr timespec past{0, 0};

// Both sides in one process: enough for everything that does not wait.
struct BothHere {
    BothHere() {
        REQUIRE(syncspawn_barrier_create(&parent) == 0);
        child = parent;
        for (int* fd :
             {&child.local_fd, &child.remote_fd, &child.pipe_read_fd, &child.pipe_write_fd}) {
            *fd = fcntl(*fd, F_DUPFD_CLOEXEC, 10);
        }
        REQUIRE(syncspawn_barrier_set_role(&parent, SYNCSPAWN_PARENT) == 0);
        REQUIRE(syncspawn_barrier_set_role(&child, SYNCSPAWN_CHILD) == 0);
    }
    BothHere(const BothHere&) = delete;
    BothHere& operator=(const BothHere&) = delete;
    ~BothHere() {
        syncspawn_barrier_destroy(&parent);
        syncspawn_barrier_destroy(&child);
    }
    syncspawn_barrier parent{}, child{};
};

// One side in each of two peers, both written in C.
template <class ParentBody, class ChildBody>
void check_both(ParentBody parent_body, ChildBody child_body) {
    syncspawn_barrier barrier{};
    REQUIRE(syncspawn_barrier_create(&barrier) == 0);
    Peer parent([&] { expect_same(parent_body(&barrier), 0); });
    Peer child([&] { expect_same(child_body(&barrier), 0); });
    syncspawn_barrier_destroy(&barrier);
    CHECK(parent.ending() == reached_the_end);
    CHECK(child.ending() == reached_the_end);
}

}  // namespace

TEST_CASE("two sides written in C meet") {
    // Not a race: the side that ends first is seen to have placed, and then to be gone.
    check_both([](syncspawn_barrier* side) { return c_rendezvous(side, SYNCSPAWN_PARENT); },
               [](syncspawn_barrier* side) { return c_rendezvous(side, SYNCSPAWN_CHILD); });
}

TEST_CASE("an abort is 0 for waits and 1 for wait_abortion and for the one that aborts") {
    check_both(c_wait_for_an_abort, c_abort);
}

TEST_CASE("a struct of zeroes is an empty barrier in C") { CHECK(c_empty_barrier() == 0); }

TEST_CASE("the C functions return 1 for reached, 0 for an end, -ETIMEDOUT for late") {
    BothHere sides;
    CHECK(syncspawn_barrier_watch_peer(&sides.parent, -1) == 0);
    CHECK(syncspawn_barrier_place(&sides.parent) == 1);
    CHECK(syncspawn_barrier_poll_now(&sides.parent) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_sync_next_until(&sides.parent, &past) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_sync_until(&sides.parent, &past) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_wait_next_until(&sides.parent, &past) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_wait_for_place_until(&sides.parent, 1, &past) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_wait_abortion_until(&sides.parent, &past) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_place_and_sync_until(&sides.parent, &past) == -ETIMEDOUT);
    CHECK(sides.parent.balance == 2);

    CHECK(syncspawn_barrier_wait_next(&sides.child) == 1);
    CHECK(sides.child.seen == 2);
    CHECK(syncspawn_barrier_place(&sides.child) == 1);
    CHECK(syncspawn_barrier_sync_next(&sides.parent) == 1);
    CHECK(syncspawn_barrier_place(&sides.child) == 1);
    CHECK(syncspawn_barrier_sync(&sides.parent) == 1);
    CHECK(syncspawn_barrier_wait_for_place(&sides.parent, 2) == 1);
    CHECK(syncspawn_barrier_poll_now(&sides.parent) == 1);

    syncspawn_barrier_destroy(&sides.child);
    CHECK(syncspawn_barrier_poll_now(&sides.parent) == 0);
    CHECK(syncspawn_barrier_wait_abortion(&sides.parent) == 1);
    CHECK(syncspawn_barrier_abort(&sides.parent) == 0);
    CHECK(syncspawn_barrier_place(&sides.parent) == 0);
    CHECK(syncspawn_barrier_wait_abortion(&sides.parent) == 0);
}

TEST_CASE("a failure is its negative errno, again and again") {
    BothHere sides;
    close(std::exchange(sides.parent.local_fd, -1));
    CHECK(syncspawn_barrier_place(&sides.parent) == -EBADF);
    CHECK(syncspawn_barrier_sync(&sides.parent) == -EBADF);
    CHECK(syncspawn_barrier_abort(&sides.parent) == -EBADF);
    CHECK(syncspawn_barrier_wait_abortion(&sides.parent) == -EBADF);
    syncspawn_barrier_environment environment{};
    CHECK(syncspawn_barrier_export(&sides.parent, 10, &environment) == -EBADF);
    CHECK(syncspawn_barrier_set_role(&sides.parent, SYNCSPAWN_PARENT) == -EINVAL);
    CHECK(sides.parent.failure == EBADF);
}

TEST_CASE("a deadline that is no time is misuse, and changes nothing") {
    BothHere sides;
    REQUIRE(syncspawn_barrier_place(&sides.child) == 1);
    for (const timespec& wrong : {timespec{0, -1}, timespec{0, 1'000'000'000},
                                  timespec{1, std::numeric_limits<long>::max()}}) {
        CHECK(syncspawn_barrier_place_until(&sides.parent, &wrong) == -EINVAL);
        CHECK(syncspawn_barrier_wait_next_until(&sides.parent, &wrong) == -EINVAL);
        CHECK(syncspawn_barrier_wait_for_place_until(&sides.parent, 1, &wrong) == -EINVAL);
        CHECK(syncspawn_barrier_sync_next_until(&sides.parent, &wrong) == -EINVAL);
        CHECK(syncspawn_barrier_sync_until(&sides.parent, &wrong) == -EINVAL);
        CHECK(syncspawn_barrier_place_and_sync_until(&sides.parent, &wrong) == -EINVAL);
        CHECK(syncspawn_barrier_wait_abortion_until(&sides.parent, &wrong) == -EINVAL);
    }
    CHECK(sides.parent.balance == 0);
    CHECK(sides.parent.seen == 0);
    CHECK(sides.parent.failure == 0);
    CHECK(syncspawn_barrier_wait_next(&sides.parent) == 1);
}

TEST_CASE("deadlines at the ends of time_t's range are the past and no deadline") {
    BothHere sides;
    const timespec first{std::numeric_limits<time_t>::min(), 0};
    const timespec last{std::numeric_limits<time_t>::max(), 999'999'999};
    CHECK(syncspawn_barrier_wait_next_until(&sides.parent, &first) == -ETIMEDOUT);
    REQUIRE(syncspawn_barrier_place(&sides.child) == 1);
    CHECK(syncspawn_barrier_wait_next_until(&sides.parent, &last) == 1);
}

TEST_CASE("create in C returns the errno and leaves nothing open") {
    Peer peer([] {
        const auto before = open_descriptors();
        rlimit limit{};
        expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = 3;
        expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        syncspawn_barrier side{};
        expect_same(syncspawn_barrier_create(&side), -EMFILE);
        expect_same(side.is_open, 0);
        expect_same(syncspawn_barrier_place(&side), -EINVAL);
        syncspawn_barrier_destroy(&side);
        limit.rlim_cur = 100;
        expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        expect(open_descriptors() == before);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("attach in C says which variable is wrong, and takes no error struct as well") {
    Peer peer([] {
        syncspawn_barrier side{};
        syncspawn_attach_error error{};
        expect_same(syncspawn_barrier_attach(&side, &error), -ENOENT);
        expect_same(error.variable, "SYNCSPAWN_BARRIER_STATE");
        expect(error.message[0] != '\0');
        setenv("SYNCSPAWN_BARRIER_STATE", "1", 1);
        expect_same(syncspawn_barrier_attach(&side, &error), -EINVAL);
        expect_same(error.variable, "SYNCSPAWN_BARRIER_LOCAL_FD");
        expect(getenv("SYNCSPAWN_BARRIER_STATE") == nullptr);
        setenv("SYNCSPAWN_BARRIER_STATE", "1", 1);
        expect_same(syncspawn_barrier_attach(&side, nullptr), -EINVAL);
        expect_same(syncspawn_barrier_attach(&side, nullptr), -ENOENT);
        expect_same(syncspawn_barrier_place(&side), -EINVAL);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a C program below the one that was meant attaches for the calling script") {
    Peer peer([] {
        const Exported exported;
        expect_reached_the_end(Peer([] {
            syncspawn_attach_error error{};
            Peer refused([&] {
                syncspawn_barrier side{};
                expect_same(syncspawn_barrier_attach(&side, &error), -ESRCH);
                expect(std::strstr(error.message, "attach for the calling script") != nullptr);
            });
            expect_same(refused.ending().c_str(), reached_the_end.c_str());
            syncspawn_barrier side{};
            expect_same(syncspawn_barrier_attach_for(&side, SYNCSPAWN_CALLING_SCRIPT, &error), 0);
            expect_same(syncspawn_barrier_place(&side), 1);
        }));
        expect_same(static_cast<long long>(eventfd_count(exported.barrier.native()->local_fd)), 1);
        unsetenv("SYNCSPAWN_BARRIER_PIPE_FD");
        syncspawn_barrier side{};
        expect_same(syncspawn_barrier_attach_for(&side, SYNCSPAWN_THIS_PROCESS, nullptr), -EINVAL);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("what was read beyond the need is given back, in C too") {
    BothHere sides;
    for (int round = 0; round < 3; ++round) {
        REQUIRE(syncspawn_barrier_place(&sides.child) == 1);
    }
    CHECK(syncspawn_barrier_place_and_sync(&sides.parent) == 1);
    CHECK(sides.parent.seen == 3);
    CHECK(syncspawn_barrier_put_back(&sides.parent) == 1);
    CHECK(sides.parent.seen == 1);
    CHECK(sides.parent.balance == 0);
    CHECK(syncspawn_barrier_put_back(&sides.parent) == 1);
    CHECK(syncspawn_barrier_place_and_sync_until(&sides.parent, &past) == 1);
    CHECK(sides.parent.seen == 3);
}

TEST_CASE("a try in C says -ETIMEDOUT for not yet, and what to poll until then") {
    BothHere sides;
    syncspawn_barrier_events events{};
    CHECK(syncspawn_barrier_try_wait_next(&sides.parent) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_try_wait_for_place(&sides.parent, 1) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_try_wait_abortion(&sides.parent) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_try_place(&sides.parent) == 1);
    CHECK(syncspawn_barrier_try_sync(&sides.parent) == -ETIMEDOUT);
    CHECK(syncspawn_barrier_try_sync_next(&sides.parent) == -ETIMEDOUT);
    syncspawn_barrier_events_for_wait(&sides.parent, &events);
    REQUIRE(events.count == 2);  // no pidfd
    CHECK(poll(events.polled, events.count, 0) == 0);
    REQUIRE(syncspawn_barrier_place(&sides.child) == 1);
    CHECK(poll(events.polled, events.count, 0) == 1);
    CHECK(syncspawn_barrier_try_sync(&sides.parent) == 1);
    CHECK(poll(events.polled, events.count, 0) == 0);
    syncspawn_barrier_events_for_place(&sides.parent, &events);
    REQUIRE(events.count == 3);
    CHECK(poll(events.polled, events.count, 0) == 1);  // there is room
    syncspawn_barrier_destroy(&sides.parent);
    syncspawn_barrier_events_for_place(&sides.parent, &events);
    CHECK(events.count == 0);
}

TEST_CASE("in C, too, a peer that is not trusted gets no flag to take away") {
    BothHere sides;
    CHECK(syncspawn_barrier_distrust_peer(&sides.parent) == 0);
    REQUIRE(fcntl(sides.child.remote_fd, F_SETFL, O_RDWR) == 0);
    CHECK(syncspawn_barrier_place(&sides.parent) == 1);
    CHECK((fcntl(sides.parent.local_fd, F_GETFL) & O_NONBLOCK) != 0);
    syncspawn_barrier_destroy(&sides.parent);
    CHECK(syncspawn_barrier_distrust_peer(&sides.parent) == -EINVAL);
}

TEST_CASE("place is 1 also when the other side is gone, and says 0 after an abort only") {
    BothHere sides;
    syncspawn_barrier_destroy(&sides.child);
    CHECK(syncspawn_barrier_place(&sides.parent) == 1);
    CHECK(syncspawn_barrier_sync(&sides.parent) == 0);
    CHECK(sides.parent.abort_state == SYNCSPAWN_PEER_GONE);
    CHECK(syncspawn_barrier_place(&sides.parent) == 1);
    REQUIRE(syncspawn_barrier_abort(&sides.parent) == 0);
    CHECK(syncspawn_barrier_place(&sides.parent) == 0);
}
