#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// A child that shares memory dies in the middle of its part. It dies alone.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// A dump would be told; and 1 means none even where dumps go to a program (core(5)).
void allow_no_dump() {
    const rlimit none{1, 1};
    setrlimit(RLIMIT_CORE, &none);
}

// Where nothing may be read or written.
char* forbidden_page() {
    static void* const page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return static_cast<char*>(page);
}

void touch(char* address) { *const_cast<volatile char*>(address) = 1; }

// Deeper and deeper, a page at a time at most: the guard page is not to be stepped over.
int run_away(long depth) {
    volatile char frame[2000];
    frame[0] = static_cast<char>(depth);
    return depth == 0 ? 0 : run_away(depth - 1) + frame[0];
}

void overflow_stack() { (void)run_away(1'000'000); }

void unblock(int signal) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigprocmask(SIG_UNBLOCK, &one, nullptr);
}

struct Death {
    const char* name;
    std::function<void()> die;
    const char* text;
};

const Death deaths[]{
    {"an access that is not allowed", [] { touch(forbidden_page()); },
     "the child was killed by SIGSEGV in step 'x'"},
    {"a stack that overflows", overflow_stack, "the child was killed by SIGSEGV in step 'x'"},
    {"abort(3)", [] { std::abort(); }, "the child was killed by SIGABRT in step 'x'"},
    {"SIGKILL", [] { kill(getpid(), SIGKILL); }, "the child was killed by SIGKILL in step 'x'"},
    {"a signal that it has unblocked",
     [] {
         unblock(SIGUSR1);
         kill(getpid(), SIGUSR1);
     },
     "the child was killed by SIGUSR1 in step 'x'"},
    {"_exit(2)", [] { _exit(7); },
     "the child exited with code 7 in step 'x' (did the part call exit(3)? It must not: the exit "
     "handlers are the parent's)"},
};

SyncedSpawner dying(const std::function<void()>& die) {
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    return spawner.step({.name = "x", .child = shared_memory([&die](ChildSide&) {
                                          allow_no_dump();
                                          die();
                                      })});
}

// With a part, for which the child needs a thread that lends.
bool can_launch() {
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    Process process = spawner.spawn();
    return process.start_method() == StartMethod::shared_memory && process.wait().success();
}

}  // namespace

TEST_CASE("a crash in a part that shares memory is told, and the parent goes on") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    (void)forbidden_page();
    const auto before = open_descriptors();
    for (const Death& death : deaths) {
        CAPTURE(death.name);
        CHECK(std::string(failure_of(dying(death.die)).what()) == death.text);
        CHECK(can_launch());
    }
    CHECK(open_descriptors() == before);
    CHECK(count_children() == 0);
}

TEST_CASE(
    "a child that the parent kills in its part is told, and the next launch is none the worse") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    std::atomic<bool> is_in_part{false};
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x",
                  .child = shared_memory([&](ChildSide&) {
                      is_in_part = true;
                      for (;;) {
                          pause();
                      }
                  }),
                  .parent = [&](ParentSide& side) {
                      comes_true([&] { return is_in_part.load(); });
                      kill(side.child_pid(), SIGKILL);
                  }});
    CHECK(std::string(failure_of(spawner).what()) == "the child was killed by SIGKILL in step 'x'");
    CHECK(can_launch());
    CHECK(count_children() == 0);
}

TEST_CASE("the threads that children died on end with the idle ones") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    (void)forbidden_page();
    Peer peer([] {
        const std::size_t before = count_threads();
        for (int round = 0; round < (is_sanitized ? 3 : 50); ++round) {
            for (const Death& death : deaths) {
                expect_same(failure_of(dying(death.die)).what(), death.text);
                SyncedSpawner::end_idle_threads();
                // What this asks for is there already; it is refused to a process of several threads.
                expect(is_sanitized || unshare(CLONE_THREAD) == 0);
                expect_same(static_cast<int>(count_threads()), static_cast<int>(before));
            }
        }
        expect_same(static_cast<int>(count_children()), 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("threads that children died in the middle of malloc on keep nobody waiting for ever") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    // The rules forbid it, and what such a child holds is lost. Whether it dies inside is chance,
    // hence often.
    Peer peer([] {
        for (int round = 0; round < (is_sanitized ? 2 : 10); ++round) {
            std::atomic<bool> is_in_part{false};
            SyncedSpawner spawner(with_shared_memory({.program = "true"}));
            spawner.step({.name = "x",
                          .child = shared_memory([&](ChildSide&) {
                              for (std::size_t size = 1;; size = size * 7 % 40'009) {
                                  void* const block = std::malloc(size);
                                  is_in_part = block != nullptr;
                                  std::free(block);
                              }
                          }),
                          .parent = [&](ParentSide& side) {
                              comes_true([&] { return is_in_part.load(); });
                              kill(side.child_pid(), SIGKILL);
                          }});
            expect_same(failure_of(spawner).what(), "the child was killed by SIGKILL in step 'x'");
            expect(can_launch());
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("threads that children died on do not gather") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        const std::function<void()> die = [] { _exit(7); };
        const SyncedSpawner spawner = dying(die);
        const std::size_t before = count_threads();
        for (int round = 0; round < (is_sanitized ? 50 : 500); ++round) {
            expect(failure_of(spawner).cause() == Cause::exited);
        }
        expect_same(static_cast<int>(count_threads()), static_cast<int>(before));
        expect(can_launch());
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a child that dumps core does not take the parent along") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    rlimit limit{};
    getrlimit(RLIMIT_CORE, &limit);
    if (is_sanitized || limit.rlim_max != RLIM_INFINITY ||
        !std::filesystem::path(read_file("/proc/sys/kernel/core_pattern")).is_relative() ||
        read_file("/proc/sys/kernel/core_pattern").starts_with("|")) {
        SKIP_TEST("no file of its own for a core dump");
    }
    (void)forbidden_page();
    const TemporaryDirectory directory;
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x", .child = shared_memory([&](ChildSide& side) {
                                   const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
                                   if (chdir(directory.path().c_str()) < 0 ||
                                       setrlimit(RLIMIT_CORE, &all) < 0) {
                                       return side.fail("chdir or setrlimit");
                                   }
                                   touch(forbidden_page());
                                   return side.done();
                               })});
    const SpawnError error = failure_of(spawner);
    CHECK(std::string(error.what()) == "the child was killed by SIGSEGV (core dumped) in step 'x'");
    CHECK_FALSE(std::filesystem::is_empty(directory.path()));
    CHECK(can_launch());
}

TEST_CASE("of a child that dies before its execve nobody else hears, and nobody takes its status") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        static std::atomic<int> heard{0};
        signal(SIGCHLD, [](int) { ++heard; });
        SyncedSpawner spawner(with_shared_memory({.program = "true"}));
        spawner.step({.name = "x",
                      .child = shared_memory([](ChildSide&) { raise(SIGKILL); }),
                      .parent = [](ParentSide& side) {
                          expect(comes_true([&] { return side.has_ended(); }));
                          expect(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD);
                      }});
        expect(failure_of(spawner).status() == ExitStatus::killed(SIGKILL));
        expect_same(heard, 0);

        Process process = SyncedSpawner(with_shared_memory({.program = "true"})).spawn();
        expect(process.wait().success());
        expect_same(heard, 1);  // the program is a child like any other
    });
    CHECK(peer.ending() == reached_the_end);
}
