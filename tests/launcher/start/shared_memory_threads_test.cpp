#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// Children that share memory, among threads: what is a thread's own stays so, and no launch is in
// the way of what the application does with its threads.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

thread_local int of_this_thread = 0;

// Threads that do something over and over until this is destroyed.
class Background {
public:
    template <class Body>
    Background(int count, Body body) {
        for (int number = 0; number < count; ++number) {
            threads_.emplace_back([this, body] {
                while (!is_over_) {
                    body();
                    ++rounds_;
                }
            });
        }
    }
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    ~Background() {
        is_over_ = true;
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

    long rounds() const noexcept { return rounds_; }

private:
    std::atomic<bool> is_over_{false};
    std::atomic<long> rounds_{0};
    std::vector<std::thread> threads_;
};

// Fails in either of two ways, and leaves either errno.
bool fails_with(int error) noexcept {
    const int result = error == EBADF ? close(-1) : chdir("/nowhere");
    return result < 0 && errno == error;
}

void allocate_and_free() noexcept {
    void* blocks[40];
    std::size_t size = 1;
    for (void*& block : blocks) {
        size = size * 7 % 40'009;
        block = std::malloc(size);
    }
    for (void* block : blocks) {
        std::free(block);
    }
}

// The C library makes every thread of this process do it, and waits for them.
bool set_ids_of_all_threads() noexcept {
    const auto same = static_cast<uid_t>(-1);
    return setresuid(same, same, same) == 0 && setresgid(same, same, same) == 0;
}

// With a part, for which the child needs a thread that lends.
bool can_launch() {
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    Process process = spawner.spawn();
    return process.start_method() == StartMethod::shared_memory && process.wait().success();
}

void expect_threads(std::size_t count, int line = __builtin_LINE()) {
    expect_same(static_cast<int>(count_threads()), static_cast<int>(count), line);
}

}  // namespace

TEST_CASE("errno and other thread-local variables of the two sides are not the same") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Turns turns;
    constexpr int rounds = 100;
    const auto part = [&](WhichSide which, int error, Side& side) {
        for (int round = 0; round < rounds; ++round) {
            of_this_thread = error;
            if (!fails_with(error) || !turns.meet(which) || errno != error ||
                of_this_thread != error || !turns.meet(which)) {
                return side.fail(EIO, "errno");
            }
        }
        return side.done();
    };
    std::atomic<int> wrong{0};
    const Background others(2, [&wrong] {
        wrong += fails_with(EBADF) ? 0 : 1;
        wrong += fails_with(ENOENT) ? 0 : 1;
    });
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step(
        {.name = "x",
         .child =
             shared_memory([&](ChildSide& side) { return part(WhichSide::child, EBADF, side); }),
         .parent = [&](ParentSide& side) { return part(WhichSide::parent, ENOENT, side); }});
    for (int launch = 0; launch < 2; ++launch) {
        SpawnError error;
        Process process = spawner.spawn(error);
        CHECK(std::string(error.what()) == "no error");
        CHECK(process);
    }
    CHECK(wrong == 0);
}

TEST_CASE("children of several threads at once have an errno each") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                   const int error = getpid() % 2 == 0 ? EBADF : ENOENT;
                                   for (int round = 0; round < 200; ++round) {
                                       if (!fails_with(error)) {
                                           return side.fail(EIO, "errno");
                                       }
                                   }
                                   return side.done();
                               })});
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    constexpr int launches = is_sanitized ? 10 : 100;
    for (int number = 0; number < 8; ++number) {
        threads.emplace_back([&] {
            for (int launch = 0; launch < launches; ++launch) {
                SpawnError error;
                Process process = spawner.spawn(error);
                good += process && process.wait().success() ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == 8 * launches);
}

TEST_CASE("a child part that allocates among threads that do hangs nobody") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    // The rules forbid it; a launch survives it as long as the child does.
    const Background others(4, allocate_and_free);
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x",
                  .child = shared_memory([](ChildSide&) {
                      for (int round = 0; round < 50; ++round) {
                          allocate_and_free();
                      }
                  }),
                  .parent = [](ParentSide&) {
                      for (int round = 0; round < 50; ++round) {
                          allocate_and_free();
                      }
                  }});
    for (int launch = 0; launch < (is_sanitized ? 5 : 30); ++launch) {
        SpawnError error;
        Process process = spawner.spawn(error);
        REQUIRE(std::string(error.what()) == "no error");
    }
    CHECK(others.rounds() > 0);
    SyncedSpawner::end_idle_threads();
}

TEST_CASE("set*id of the C library while a child is in its part waits for nobody") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    std::atomic<bool> is_in_part{false};
    std::atomic<bool> is_done{false};
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    // The thread that lends the child its errno is interrupted each time.
    spawner.step({.name = "x",
                  .child = shared_memory([&](ChildSide& side) {
                      is_in_part = true;
                      while (!is_done) {
                          if (!fails_with(ENOENT)) {
                              return side.fail(EIO, "errno");
                          }
                      }
                      return side.done();
                  }),
                  .parent = [&](ParentSide& side) {
                      bool is_set = comes_true([&] { return is_in_part.load(); });
                      for (int round = 0; is_set && round < 200; ++round) {
                          is_set = set_ids_of_all_threads();
                      }
                      is_done = true;
                      return is_set ? side.done() : side.fail("setresuid");
                  }});
    const auto launch = [&] {
        is_in_part = false;
        is_done = false;
        SpawnError error;
        Process process = spawner.spawn(error);
        CHECK(std::string(error.what()) == "no error");
        CHECK((process && process.wait().success()));
    };
    SUBCASE("by the thread that launches") {
        launch();
        launch();
    }
    SUBCASE("by other threads as well") {
        std::atomic<int> failed{0};
        const Background others(2, [&] { failed += set_ids_of_all_threads() ? 0 : 1; });
        for (int round = 0; round < 5; ++round) {
            launch();
        }
        CHECK(failed == 0);
        CHECK(others.rounds() > 0);
    }
    SUBCASE("while threads come and go") {
        const Background others(1, [] {
            (void)can_launch();
            SyncedSpawner::end_idle_threads();
        });
        for (int round = 0; round < 5; ++round) {
            launch();
        }
    }
}

TEST_CASE("a process that forks after launches can launch on both sides") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        const std::size_t before = count_threads();
        expect(can_launch());
        Peer forked([] {
            const std::size_t anew = count_threads();
            SyncedSpawner::end_idle_threads();  // none of which is here
            expect_threads(anew);
            expect(can_launch());
            expect_threads(anew + 1);
            Peer further([] {
                expect(can_launch());
                SyncedSpawner::end_idle_threads();
            });
            expect_same(further.ending().c_str(), reached_the_end.c_str());
            SyncedSpawner::end_idle_threads();
            expect_threads(anew);
            expect(can_launch());
        });
        expect_same(forked.ending().c_str(), reached_the_end.c_str());
        expect(can_launch());
        expect_threads(before + 1);
        SyncedSpawner::end_idle_threads();
        expect_threads(before);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE(
    "a process that forks in the middle of other threads' launches can launch on both sides") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    if (is_sanitized) {
        SKIP_TEST("a fork among threads may leave the sanitizer's own locks held");
    }
    Peer peer([] {
        const Background others(3, [] {
            expect(can_launch());
            SyncedSpawner::end_idle_threads();
        });
        for (int fork = 0; fork < 50; ++fork) {
            Peer forked([] {
                expect(can_launch());
                SyncedSpawner::end_idle_threads();
                expect(can_launch());
            });
            expect_same(forked.ending().c_str(), reached_the_end.c_str());
        }
        expect(others.rounds() > 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a launch parks one thread, and the end of idle threads leaves none") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        const std::size_t before = count_threads();
        for (int round = 0; round < (is_sanitized ? 20 : 300); ++round) {
            expect(can_launch());
            expect_threads(before + 1);
            expect(can_launch());
            expect_threads(before + 1);  // the same one
            SyncedSpawner::end_idle_threads();
            // What this asks for is there already; it is refused to a process of several threads.
            expect(is_sanitized || unshare(CLONE_THREAD) == 0);
            expect_threads(before);
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("after the end of idle threads a process may enter a user namespace") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    if (is_sanitized) {
        SKIP_TEST("the sanitizer has a thread of its own");
    }
    Peer peer([] {
        expect(can_launch());
        expect(unshare(CLONE_NEWUSER) < 0 && errno == EINVAL);  // there is another thread
        SyncedSpawner::end_idle_threads();
        expect(unshare(CLONE_NEWUSER) == 0 || errno != EINVAL);
        expect(can_launch());
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the end of idle threads leaves those alone that a child is using") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        const std::size_t before = count_threads();
        Turns turns;
        SyncedSpawner spawner(with_shared_memory({.program = "true"}));
        spawner.step({.name = "x",
                      .child = shared_memory([&](ChildSide& side) {
                          turns.meet(WhichSide::child);
                          turns.meet(WhichSide::child);
                          return fails_with(EBADF) ? side.done() : side.fail(EIO, "errno");
                      }),
                      .parent = [&](ParentSide&) {
                          turns.meet(WhichSide::parent);
                          expect(can_launch());
                          expect_threads(before + 2);
                          SyncedSpawner::end_idle_threads();
                          expect_threads(before + 1);
                          turns.meet(WhichSide::parent);
                      }});
        Process process = spawner.spawn();
        expect(process.wait().success());
        SyncedSpawner::end_idle_threads();
        expect_threads(before);
    });
    CHECK(peer.ending() == reached_the_end);
}
