#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"

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
    constexpr int launches = is_sanitized ? 8 : 200;
    SyncedSpawner::end_idle_threads();
    const auto descriptors = open_descriptors();
    const std::size_t tasks = count_threads();
    std::atomic<int> good{0};
    std::atomic<int> bad{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < thread_count; ++number) {
        threads.emplace_back([&, number] {
            SyncedSpawner spawner(
                with_shared_memory({.program = SYNCSPAWN_TEST_HELPERS "/launch_descriptors",
                                    .standard_output = Stdio::pipe()}));
            spawner.step({.name = "x",
                          .child = sharing([&](ChildSide&) {
                              bad += fails_with(number % 2 == 0 ? EBADF : ENOENT) ? 0 : 1;
                          }),
                          .parent = [&](ParentSide&) {
                              bad += fails_with(number % 2 == 0 ? ENOENT : EBADF) ? 0 : 1;
                          }});
            for (int launch = 0; launch < launches; ++launch) {
                SpawnError error;
                Process process = spawner.spawn(error);
                const bool went_well = process &&
                                       read_all(process.standard_output().get()) == "0 1 2 " &&
                                       process.wait().success();
                good += went_well ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == thread_count * launches);
    CHECK(bad == 0);
    SyncedSpawner::end_idle_threads();
    CHECK(comes_true([&] { return count_threads() <= tasks; }));
    CHECK(open_descriptors() == descriptors);
    CHECK(count_children() == 0);
}
