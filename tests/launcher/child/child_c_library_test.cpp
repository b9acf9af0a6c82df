#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/launched.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// A bare clone copies the C library's locks as they are, and with shared memory they are the parent's. So
// the child calls nothing that may take one. Newer versions take more of them: this is worth running
// under the newest there is.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// Threads that are inside the C library's own start of a program most of the time. glibc 2.41 holds a
// lock there, which its sigaction(3) takes as well.
class Spawners {
public:
    explicit Spawners(int count) {
        for (int index = 0; index < count; ++index) {
            threads_.emplace_back([this] {
                while (!is_over_) {
                    spawn_one();
                }
            });
        }
    }
    Spawners(const Spawners&) = delete;
    Spawners& operator=(const Spawners&) = delete;
    ~Spawners() {
        is_over_ = true;
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

private:
    static void spawn_one() {
        char name[] = "/bin/true";
        char* arguments[] = {name, nullptr};
        pid_t pid = -1;
        if (posix_spawn(&pid, name, nullptr, nullptr, arguments, environ) == 0) {
            waitpid(pid, nullptr, 0);
        }
    }

    std::atomic<bool> is_over_{false};
    std::vector<std::thread> threads_;
};

// Each launch either succeeds or hangs, which the watchdog ends.
void launch_often(const SpawnOptions& options) {
    const SyncedSpawner spawner(options);
    const Spawners spawners(2);
    for (int round = 0; round < 200; ++round) {
        SpawnError error;
        Process process = spawner.spawn(error);
        REQUIRE(std::string(error.what()) == "no error");
        CHECK(process.wait().success());
    }
}

}  // namespace

TEST_CASE("a child that was cloned needs no lock that a thread of the parent held") {
    SpawnOptions options{.program = "/bin/true", .birth = {.method = StartMethod::copied_memory}};
    options.birth.namespaces =
        geteuid() == 0 ? Namespaces::uts : Namespaces::user | Namespaces::uts;
    SpawnError error;
    if (!SyncedSpawner(options).spawn(error)) {
        SKIP_TEST("no new namespaces here: " + std::string(error.what()));
    }
    launch_often(options);
    options.signals.ignored = IgnoredSignals::reset;
    launch_often(options);
}

TEST_CASE("a child that shares memory needs no lock that a thread of the parent holds") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    launch_often({.program = "/bin/true",
                  .birth = {.method = StartMethod::shared_memory},
                  .signals = {.ignored = IgnoredSignals::reset}});
}
