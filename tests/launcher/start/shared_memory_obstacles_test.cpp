#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/tracer.hpp"

// The first launch finds out whether a child can share memory, and what stands in the way. So this
// process launches nothing itself, and each of its peers begins anew.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// In a peer.
void expect_start_by(StartMethod asked_for, StartMethod method) {
    SyncedSpawner spawner({.program = "true", .birth = {.method = asked_for}});
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    Process process = spawner.spawn();
    expect_same(static_cast<int>(process.start_method()), static_cast<int>(method));
    expect(process.wait().success());
}

// In a peer: automatic does without, and asking for it by its name tells why not.
void expect_no_sharing(const char* reason) {
    const auto before = open_descriptors();
    expect_start_by(StartMethod::automatic, StartMethod::copied_memory);
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    const SpawnError error = failure_of(spawner);
    expect_same(error.what(), (std::string("start the child: ") + reason).c_str());
    expect(error.stage() == Stage::start && !error.program_may_have_run());
    // The next one too.
    expect_start_by(StartMethod::automatic, StartMethod::copied_memory);
    expect(open_descriptors() == before);
    expect_same(static_cast<int>(count_children()), 0);
}

}  // namespace

TEST_CASE("where there is no clone3 from the first launch on, memory is copied") {
    Peer peer([] {
        refuse_system_calls({SYS_clone3}, ENOSYS);
        expect_no_sharing(
            "this kernel, or a filter, has no clone3 that shares memory: function not implemented");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where a filter refuses clone3 from the first launch on, memory is copied") {
    // The C library cannot even start a thread.
    Peer peer([] {
        refuse_system_calls({SYS_clone3}, EPERM);
        expect_no_sharing("pthread_create: operation not permitted");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where clone3 is taken away later, memory is copied from then on") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    int error = 0;
    const char* reason = nullptr;
    SUBCASE("as if there were none") {
        error = ENOSYS;
        reason = "clone3: function not implemented";
    }
    SUBCASE("by a filter") {
        error = EPERM;
        reason = "clone3: operation not permitted";
    }
    Peer peer([&] {
        expect_start_by(StartMethod::automatic, StartMethod::shared_memory);
        refuse_system_calls({SYS_clone3}, error);
        expect_no_sharing(reason);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where clone3 is refused to a launch without parts, memory is copied") {
    Peer peer([] {
        refuse_system_calls({SYS_clone3}, EPERM);
        Process process = SyncedSpawner({.program = "true"}).spawn();
        expect(process.start_method() == StartMethod::copied_memory && process.wait().success());
        expect_same(failure_of(with_shared_memory({.program = "true"})).what(),
                    "start the child: clone3: operation not permitted");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where no thread can be started any more, memory is copied") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        expect_start_by(StartMethod::automatic, StartMethod::shared_memory);
        SyncedSpawner::end_idle_threads();
        refuse_system_calls({SYS_clone3}, EPERM);
        expect_no_sharing("pthread_create: operation not permitted");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a process that is traced copies its memory") {
    Peer peer([] {
        stop_for_tracer();
        expect_no_sharing("this process is traced: function not implemented");
        (void)getsid(0);  // for the tracer: all expectations were met
    });
    Tracer tracer(peer.pid());
    CHECK(tracer.run_to_exit_of(SYS_getsid));
    tracer.let_go();
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("an obstacle that is not there leaves the first launch with shared memory") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        // What the library tries out at first must not be seen either.
        expect_start_by(StartMethod::shared_memory, StartMethod::shared_memory);
        expect_same(static_cast<int>(count_children()), 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a process that forks in the middle of its first launches can launch on both sides") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    if (is_sanitized) {
        SKIP_TEST("a fork among threads may leave the sanitizer's own locks held");
    }
    for (int round = 0; round < 100; ++round) {
        Peer peer([] {
            const auto launch = [] {
                expect_start_by(StartMethod::shared_memory, StartMethod::shared_memory);
            };
            std::vector<std::thread> threads;
            for (int number = 0; number < 3; ++number) {
                threads.emplace_back(launch);
            }
            for (int fork = 0; fork < 3; ++fork) {
                Peer forked(launch);
                expect_same(forked.ending().c_str(), reached_the_end.c_str());
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
        });
        CHECK(peer.ending() == reached_the_end);
    }
}
