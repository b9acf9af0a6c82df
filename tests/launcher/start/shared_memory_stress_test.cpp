#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/span.hpp"

// Many launches at once, all of whose children share the memory of this process.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// Fails in either of two ways, and leaves either errno.
bool fails_with(int error) noexcept {
    const int result = error == EBADF ? close(-1) : chdir("/nowhere");
    return result < 0 && errno == error;
}

}  // namespace

TEST_CASE("launches of 64 threads see nothing of each other and leave nothing behind") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    constexpr int thread_count = is_sanitized ? 16 : 64;
    SyncedSpawner::end_idle_threads();
    const auto descriptors = open_descriptors();
    const std::size_t tasks = count_threads();
    std::atomic<int> good{0};
    std::atomic<int> bad{0};
    Span whole;
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (int number = 0; number < thread_count; ++number) {
        threads.emplace_back([&, number] {
            SyncedSpawner spawner(
                with_shared_memory({.program = SYNCSPAWN_TEST_HELPERS "/launch_descriptors",
                                    .streams = {.output = Stdio::pipe()}}));
            spawner.step({.name = "x",
                          .child = shared_memory([&](ChildSide&) {
                              bad += fails_with(number % 2 == 0 ? EBADF : ENOENT) ? 0 : 1;
                          }),
                          .parent = [&](ParentSide&) {
                              bad += fails_with(number % 2 == 0 ? ENOENT : EBADF) ? 0 : 1;
                          }});
            do {
                SpawnError error;
                Process process = spawner.spawn(error);
                const bool went_well = process && read_all(process.standard_output()) == "0 1 2 " &&
                                       process.wait().success();
                (went_well ? good : bad) += 1;
            } while (!is_over);
        });
    }
    while (whole.goes_on()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    is_over = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    std::printf("%d launches of %d threads\n", good.load(), thread_count);
    CHECK(good >= thread_count);
    CHECK(bad == 0);
    SyncedSpawner::end_idle_threads();
    CHECK(comes_true([&] { return count_threads() <= tasks; }));
    CHECK(open_descriptors() == descriptors);
    CHECK(count_children() == 0);
}
