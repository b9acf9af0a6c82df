#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/observe.hpp"
#include "support/shared_memory.hpp"

// What tests of launches that an event loop drives have in common: every way in which a launch may end,
// and one that stays where it is until it is let go.

namespace syncspawn::testing {

inline SpawnOptions program_that(std::string does, std::chrono::nanoseconds ready_within,
                                 StartMethod method = StartMethod::automatic) {
    return {.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
            .arguments = {std::move(does)},
            .birth = {.method = method},
            .setup = {.abort_grace = std::chrono::nanoseconds(0)},
            .readiness = {.within = ready_within}};
}

// A launch whose child sleeps in a part, in read(2), until it is let go.
class HeldLaunchBase {
public:
    explicit HeldLaunchBase(SpawnOptions options) : spawner_(std::move(options)) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        read_end_.reset(ends[0]);
        write_end_.reset(ends[1]);
        spawner_.step({.name = "note",
                       .parent = [this](ParentSide& side) { pid_ = side.child_pid(); },
                       .undo = [this](ParentSide&) { ++undone_; }});
        spawner_.step({.name = "held",
                       .child = shared_memory([gate = ends[0]](ChildSide&) {
                           char byte = 0;
                           (void)!read(gate, &byte, 1);
                       }),
                       .descriptors = {ends[0]}});
    }
    HeldLaunchBase(const HeldLaunchBase&) = delete;
    HeldLaunchBase& operator=(const HeldLaunchBase&) = delete;

    SyncedSpawner& spawner() noexcept { return spawner_; }
    // The child's sleep is no moment's chance: nobody but let_go(), and a kill, ends it.
    bool is_held() const { return sleeps_in(pid_, SYS_read); }
    // By a byte, not by closing: another child may hold that end as well.
    void let_go() const noexcept { (void)!write(write_end_.get(), "x", 1); }
    pid_t pid() const noexcept { return pid_; }
    int undone() const noexcept { return undone_; }

private:
    UniqueFd read_end_;
    UniqueFd write_end_;
    SyncedSpawner spawner_;
    pid_t pid_ = -1;
    int undone_ = 0;
};

struct End {
    std::string text;  // how it begins
    SpawnOptions options;
    Step step{};  // none without a name
};

inline std::vector<End> every_end() {
    const SpawnOptions program{.program = "true"};
    SpawnOptions without_cgroup = program;
    without_cgroup.birth.cgroup = 987'654;
    SpawnOptions no_cgroup = program;
    static const UniqueFd root(open("/", O_PATH | O_CLOEXEC));
    no_cgroup.birth.cgroup = root.get();
    SpawnOptions without_descriptor = program;
    without_descriptor.descriptors.passed = {{987'654, 5}};
    SpawnOptions without_directory = program;
    without_directory.working_directory = "/nowhere";
    return {
        {"no error",
         program,
         {.name = "x",
          .child = shared_memory([](ChildSide&) {}),
          .parent = [](ParentSide&) {},
          .order = StepOrder::child_first}},
        {"no error", program_that("is ready", std::chrono::seconds(60))},
        {"x in the child: chdir: no such file or directory",
         program,
         {.name = "x", .child = shared_memory([](ChildSide& side) {
                           return chdir("/nowhere") < 0 ? side.fail("chdir") : side.done();
                       })}},
        {"x in the parent: open: permission denied",
         program,
         {.name = "x", .parent = [](ParentSide& side) { return side.fail(EACCES, "open"); }}},
        {"x in the parent: exception: thrown",
         program,
         {.name = "x", .parent = [](ParentSide&) { throw std::runtime_error("thrown"); }}},
        {"the child was killed by SIGKILL in step 'x'",
         program,
         {.name = "x", .child = shared_memory([](ChildSide&) { kill(getpid(), SIGKILL); })}},
        {"the child exited with code 7 in step 'x'",
         program,
         {.name = "x", .child = shared_memory([](ChildSide&) { _exit(7); })}},
        {"chdir to '/nowhere' in the child: no such file or directory", without_directory},
        {"execve '/nowhere' in the child: no such file or directory", {.program = "/nowhere"}},
        // This program never attaches, so the time may be as short as one likes.
        {"the program was not ready within 50 ms; the program itself never attached to its barrier",
         program_that("sleeps", std::chrono::milliseconds(50))},
        {"the program exited with code 3 before it was ready",
         program_that("exits", std::chrono::seconds(60))},
        {"the program was killed by SIGKILL before it was ready",
         program_that("is killed", std::chrono::seconds(60))},
        {"the program aborted the barrier before it was ready",
         program_that("aborts", std::chrono::seconds(60))},
        {"prepare the launch: descriptor 987654 of the cgroup: bad file descriptor",
         without_cgroup},
        {"prepare the launch: descriptor 987654: bad file descriptor", without_descriptor},
        {"start", no_cgroup}  // how it goes on depends on who joins: the kernel or the child
        ,
    };
}

inline void check_same_but_code(const SpawnError& actual, const SpawnError& expected) {
    CHECK(static_cast<bool>(actual) == static_cast<bool>(expected));
    CHECK(actual.side() == expected.side());
    CHECK(actual.stage() == expected.stage());
    CHECK(actual.cause() == expected.cause());
    CHECK(actual.step() == expected.step());
    CHECK(actual.status() == expected.status());
    CHECK(actual.detail() == expected.detail());
    CHECK(actual.hint() == expected.hint());
    CHECK(actual.program_may_have_run() == expected.program_may_have_run());
}

inline void check_same(const SpawnError& actual, const SpawnError& expected) {
    CHECK(std::string(actual.what()) == expected.what());
    CHECK(actual.code() == expected.code());
    check_same_but_code(actual, expected);
}

}  // namespace syncspawn::testing
