// What a barrier opens, moves and closes, and what it does not allocate.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>

#include <syncspawn/barrier/hand_over.hpp>

#include "support/allocation_trap.hpp"
#include "support/both_sides.hpp"
#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr Deadline past{};

std::set<int> descriptors_of(const Barrier& barrier) {
    const syncspawn_barrier& side = *barrier.native();
    return {side.local_fd, side.remote_fd, side.pipe_read_fd, side.pipe_write_fd};
}

// In a peer: no new descriptor may be numbered this or higher.
void limit_descriptors(std::size_t limit) {
    rlimit now{};
    expect(getrlimit(RLIMIT_NOFILE, &now) == 0);
    now.rlim_cur = limit;
    expect(setrlimit(RLIMIT_NOFILE, &now) == 0);
}

// In a peer: closes everything above the standard streams, and those of them that are in `closed`.
void keep_only_standard_streams(unsigned closed = 0) {
    expect(close_range(3, ~0U, 0) == 0);
    for (int fd = 0; fd <= 2; ++fd) {
        if ((closed & (1U << fd)) != 0) {
            close(fd);
        } else if (!is_open(fd)) {
            expect(open("/dev/null", O_RDWR) == fd);
        }
    }
}

}  // namespace

TEST_CASE("create opens two eventfds and a pipe, all close-on-exec and non-blocking") {
    const auto before = open_descriptors();
    Barrier barrier = Barrier::create();
    const auto fds = descriptors_of(barrier);
    CHECK(fds.size() == 4);
    CHECK(open_descriptors().size() == before.size() + 4);
    for (const int fd : fds) {
        CHECK(is_close_on_exec(fd));
        CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    }
    const syncspawn_barrier& side = *barrier.native();
    for (const int fd : {side.local_fd, side.remote_fd}) {
        const std::uint64_t three = 3;
        std::uint64_t count = 0;
        CHECK(write(fd, &three, sizeof three) == 8);
        CHECK(read(fd, &count, sizeof count) == 8);
        CHECK(count == 3);  // not a semaphore
        CHECK(read(fd, &count, sizeof count) == -1);
    }
    CHECK((fcntl(side.pipe_read_fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK((fcntl(side.pipe_write_fd, F_GETFL) & O_ACCMODE) == O_WRONLY);
}

TEST_CASE("destroy closes everything, and twice is safe") {
    const auto before = open_descriptors();
    for (const auto& with_role :
         {+[](Barrier&) {}, +[](Barrier& side) { (void)side.set_role(Role::parent); },
          +[](Barrier& side) { (void)side.set_role(Role::child); }}) {
        Barrier barrier = Barrier::create();
        with_role(barrier);
        barrier.destroy();
        CHECK(open_descriptors() == before);
        CHECK_FALSE(barrier.is_open());
        CHECK(barrier.place() == Outcome::failed);
        barrier.destroy();
        {
            Barrier scoped = Barrier::create();
            with_role(scoped);
        }
        CHECK(open_descriptors() == before);
    }
}

TEST_CASE("a side taken from a pair has its role, and nothing of the other side") {
    const auto before = open_descriptors();
    {
        BarrierPair pair = Barrier::pair();
        CHECK(pair.is_open());
        CHECK(open_descriptors().size() == before.size() + 4);
        Peer child([&] {
            Barrier side = std::move(pair).child();
            expect_same(side.native()->role, SYNCSPAWN_CHILD);
            expect_same(side.native()->pipe_read_fd, -1);
            expect(side.native()->pipe_write_fd >= 0);
            expect(!pair.is_open());  // NOLINT(bugprone-use-after-move): a moved-from one is empty
            expect_outcome(side.place_and_sync(), Outcome::reached);
        });
        Barrier side = std::move(pair).parent();
        CHECK(side.native()->role == SYNCSPAWN_PARENT);
        CHECK(side.native()->pipe_write_fd == -1);
        CHECK(open_descriptors().size() == before.size() + 3);
        CHECK(side.place_and_sync() == Outcome::reached);
        CHECK(side.wait_next() == Outcome::peer_gone);
        CHECK(child.ending() == reached_the_end);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE(
    "a pair that nobody takes a side of closes everything, and an empty one has empty sides") {
    const auto before = open_descriptors();
    {
        const BarrierPair pair = Barrier::pair();
        CHECK(open_descriptors().size() == before.size() + 4);
    }
    CHECK(open_descriptors() == before);
    BarrierPair empty;
    Barrier side = std::move(empty).parent();
    CHECK_FALSE(side.is_open());
    CHECK(side.place() == Outcome::failed);
}

TEST_CASE("set_role closes the other role's pipe end, and the child swaps the eventfds") {
    Barrier parent = Barrier::create();
    const syncspawn_barrier fresh = *parent.native();
    REQUIRE(parent.set_role(Role::parent) == Outcome::reached);
    CHECK(parent.native()->local_fd == fresh.local_fd);
    CHECK(parent.native()->remote_fd == fresh.remote_fd);
    CHECK(parent.native()->pipe_read_fd == fresh.pipe_read_fd);
    CHECK_FALSE(is_open(fresh.pipe_write_fd));

    Barrier child = Barrier::create();
    const syncspawn_barrier born = *child.native();
    REQUIRE(child.set_role(Role::child) == Outcome::reached);
    CHECK(child.native()->local_fd == born.remote_fd);
    CHECK(child.native()->remote_fd == born.local_fd);
    CHECK(child.native()->pipe_write_fd == born.pipe_write_fd);
    CHECK_FALSE(is_open(born.pipe_read_fd));
}

TEST_CASE("a moved barrier takes its descriptors along and leaves an empty one") {
    const auto before = open_descriptors();
    {
        Barrier first = Barrier::create();
        const auto fds = descriptors_of(first);
        Barrier second = std::move(first);
        CHECK(descriptors_of(second) == fds);
        CHECK_FALSE(first.is_open());  // NOLINT: the state after a move is part of the contract
        CHECK(first.sync() == Outcome::failed);
        CHECK(first.error().value() == EINVAL);

        Barrier third = Barrier::create();
        third = std::move(second);
        CHECK(descriptors_of(third) == fds);
        CHECK(open_descriptors().size() == before.size() + 4);
        Barrier& same = third;
        third = std::move(same);
        CHECK(descriptors_of(third) == fds);
        third = Barrier();
        CHECK(open_descriptors() == before);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("a barrier adopts a side that C code opened") {
    const auto before = open_descriptors();
    {
        syncspawn_barrier side{};
        REQUIRE(syncspawn_barrier_create(&side) == 0);
        Barrier adopted(side);
        CHECK(adopted.set_role(Role::parent) == Outcome::reached);
        CHECK(adopted.place() == Outcome::reached);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("create that runs out of descriptors says so and leaves nothing open") {
    // Each room that is too small: for none, one, ... three of the four descriptors; and the same
    // with the standard streams closed, where descriptors have to move up.
    for (unsigned closed = 0; closed < 8; ++closed) {
        Peer peer([closed] {
            keep_only_standard_streams(closed);
            const std::size_t start = open_descriptors().empty() ? 0 : 3;
            std::size_t failures = 0;
            for (std::size_t limit = start;; ++limit) {
                const auto before = open_descriptors();
                limit_descriptors(limit);
                std::error_code error;
                Barrier barrier = Barrier::create(error);
                limit_descriptors(100);
                if (!error) {
                    break;
                }
                ++failures;
                expect_same(error.value(), EMFILE);
                expect(!barrier.is_open());
                expect(open_descriptors() == before);
            }
            expect(failures >= 4);
        });
        CAPTURE(closed);
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("create throws what it could not open") {
    Peer peer([] {
        keep_only_standard_streams();
        limit_descriptors(6);  // one too few
        try {
            (void)Barrier::create();
            expect(false);
        } catch (const std::system_error& error) {
            expect_same(error.code().value(), EMFILE);
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("no descriptor of a barrier takes the number of a closed standard stream") {
    for (unsigned closed = 0; closed < 8; ++closed) {
        Peer peer([closed] {
            keep_only_standard_streams(closed);
            const auto before = open_descriptors();
            Barrier barrier = Barrier::create();
            for (const int fd : descriptors_of(barrier)) {
                expect(fd > 2);
                expect(is_close_on_exec(fd));
                expect((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
            }
            expect(open_descriptors().size() == before.size() + 4);
            barrier.destroy();
            expect(open_descriptors() == before);
        });
        CAPTURE(closed);
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("the allocation trap sees what allocates") {
    const AllocationTrap trap;
    // Called by name: a compiler may leave out a new expression, and a pair of malloc and free.
    ::operator delete(::operator new(100));
    void* volatile memory = std::malloc(100);
    std::free(memory);
    const long allocations = trap.allocations();
    CHECK(allocations == 2);
}

TEST_CASE("nothing allocates after create") {
    const Shared<std::atomic<int>> arrived;
    const auto body = [&](Barrier& side) {
        BarrierEnvironment environment{};
        const AllocationTrap trap;
        expect_outcome(side.watch_peer(-1), Outcome::reached);
        expect_outcome(side.place_and_sync(), Outcome::reached);
        expect_outcome(side.place_until(past), Outcome::reached);
        expect_outcome(side.wait_for_place(2), Outcome::reached);
        expect_outcome(side.sync_next_until(past), Outcome::reached);
        (void)side.wait_next_until(past);  // the peer may or may not have gone on
        (void)side.poll_now();
        (void)side.try_wait_next();
        expect_outcome(side.try_sync(), Outcome::reached);
        (void)side.events_for_wait();
        expect_outcome(side.distrust_peer(), Outcome::reached);
        expect_outcome(side.put_back(), Outcome::reached);
        expect_outcome(side.set_role(Role::child), Outcome::failed);
        expect_outcome(export_barrier(side, environment), Outcome::reached);
        expect_outcome(side.place_and_sync(), Outcome::reached);
        // An abort supersedes the last place, so both must have read it first.
        for (++*arrived; *arrived < 2;) {
            std::this_thread::yield();
        }
        expect_outcome(side.abort(), Outcome::reached);
        expect_outcome(side.wait_abortion(), Outcome::aborted_here);
        (void)side.status();
        (void)side.error();
        (void)to_string(Outcome::reached);
        Barrier moved = std::move(side);
        moved.destroy();
        expect_same(trap.allocations(), 0);
    };
    auto sides = both_sides(body, body);
    CHECK_BOTH_REACHED_THE_END(sides);
}
