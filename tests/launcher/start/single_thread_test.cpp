// A launch in which the parent has nothing to do until execve takes no thread and no memory: its caller
// is suspended meanwhile.

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
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

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

thread_local int of_this_thread = 0;

long address_space_in_kib() { return std::stol(value_in("/proc/self/status", "VmSize")); }

void launch_plainly() {
    Process process = SyncedSpawner(with_shared_memory({.program = "true"})).spawn();
    expect(process.start_method() == StartMethod::shared_memory && process.wait().success());
}

}  // namespace

TEST_CASE("a process of one thread stays one, and may enter a user namespace") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        const std::size_t threads = count_threads();
        const long before = address_space_in_kib();
        for (int round = 0; round < 10; ++round) {
            launch_plainly();
        }
        expect_same(static_cast<int>(count_threads()), static_cast<int>(threads));
        if (!is_sanitized) {
            // The first thread of the library would have an arena of malloc, 64 MiB.
            expect(address_space_in_kib() - before < 16L * 1024);
            expect(unshare(CLONE_NEWUSER) == 0 || errno != EINVAL);
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the caller's errno and thread-local variables are as they were") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SyncedSpawner spawner(with_shared_memory(
        {.program = "nowhere", .environment = Environment().set("PATH", "/none:/no:/bin")}));
    of_this_thread = 17;
    SpawnError error;
    (void)spawner.spawn(error);
    CHECK(error.code() == std::errc::no_such_file_or_directory);
    CHECK(of_this_thread == 17);
}

TEST_CASE("what fails in the child is told as by any other start") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    for (SpawnOptions options :
         {SpawnOptions{.program = "/nowhere"}, SpawnOptions{.program = "/etc/passwd"},
          SpawnOptions{.program = "true", .working_directory = "/nowhere"}}) {
        options.birth.method = StartMethod::copied_memory;
        const SpawnError copied = failure_of(options);
        options.birth.method = StartMethod::shared_memory;
        const SpawnError shared = failure_of(options);
        CHECK(std::string(shared.what()) == copied.what());
        CHECK(shared.stage() == copied.stage());
        CHECK_FALSE(shared.program_may_have_run());
    }
    CHECK(count_children() == 0);
}

TEST_CASE("several threads at once launch so") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    constexpr int launches = is_sanitized ? 5 : 50;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&] {
            for (int launch = 0; launch < launches; ++launch) {
                SpawnError error;
                Process process =
                    SyncedSpawner(with_shared_memory({.program = "true"})).spawn(error);
                good += process && process.wait().success() ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == 4 * launches);
}
