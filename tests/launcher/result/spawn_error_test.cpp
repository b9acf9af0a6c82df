#include <syncspawn/launcher/spawn_error.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>

#include "support/launched.hpp"
#include "support/observe.hpp"

// The text of the error at every stage up to execve.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string text_of(const SpawnError& error) { return error.what(); }

SyncedSpawner with_child(Part<ChildSide> part, SpawnOptions options = {.program = "true"}) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .child = after_fork(std::move(part))});
    return spawner;
}

// Dies of a signal although all are blocked; without a core, which would be told.
[[noreturn]] void die_of(int signal) {
    prctl(PR_SET_DUMPABLE, 0);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigprocmask(SIG_UNBLOCK, &one, nullptr);
    kill(getpid(), signal);
    for (;;) {
        pause();
    }
}

void limit_descriptors_to(int count) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(count);
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

TEST_CASE("an error that was not set is none") {
    const SpawnError error;
    CHECK_FALSE(error);
    CHECK(text_of(error) == "no error");
    CHECK(error.stage() == Stage::none);
    CHECK_FALSE(error.code());
    CHECK_FALSE(error.status());
    CHECK(error.timeline().empty());
}

TEST_CASE("a launch that succeeds clears the error of the one before") {
    SpawnError error = failure_of({.program = "/nowhere"});
    CHECK(error);
    CHECK(SyncedSpawner({.program = "true"}).spawn(error).wait().success());
    CHECK_FALSE(error);
}

TEST_CASE("the throwing form throws what the other one returns") {
    const SyncedSpawner spawner({.program = "/nowhere"});
    try {
        (void)spawner.spawn();
        FAIL("nothing was thrown");
    } catch (const SpawnError& error) {
        CHECK(text_of(error) == text_of(failure_of(spawner)));
        CHECK(error.stage() == Stage::execve);
    }
}

TEST_CASE("prepare: a passed descriptor that is not open is named") {
    const SpawnError error = failure_of({.program = "true", .descriptors = {.passed = {{900, 5}}}});
    CHECK(text_of(error) == "prepare the launch: descriptor 900: bad file descriptor");
    CHECK(error.stage() == Stage::prepare);
    CHECK(error.code() == std::errc::bad_file_descriptor);
    CHECK_FALSE(error.program_may_have_run());
}

TEST_CASE("prepare: a descriptor of a step that is not open is named with its step") {
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .child = after_fork([](ChildSide&) {}), .descriptors = {900}});
    CHECK(text_of(failure_of(spawner)) ==
          "prepare the launch: descriptor 900 of step 'x': bad file descriptor");
}

TEST_CASE("prepare: a closed descriptor is not taken for one that the launch opened itself") {
    SpawnOptions options{.program = "true", .streams = {.output = Stdio::pipe()}};
    bool has_begun = false;
    Step step{.name = "x", .child = after_fork([](ChildSide&) {}), .parent = [&](ParentSide&) {
                  has_begun = true;
              }};
    std::function<void(int)> ask_for;
    std::string whose;
    SUBCASE("to be passed") {
        ask_for = [&](int fd) { options.descriptors.passed = {{fd, 5}}; };
    }
    SUBCASE("as a standard stream") {
        ask_for = [&](int fd) { options.streams.input = Stdio::descriptor(fd); };
    }
    SUBCASE("of a step") {
        ask_for = [&](int fd) { step.descriptors = {fd}; };
        whose = " of step 'x'";
    }
    // The launch opens fewer than these, and takes the lowest numbers that are free.
    for (int fd = 3, closed = 0; closed < 16; ++fd) {
        if (is_open(fd)) {
            continue;
        }
        ++closed;
        ask_for(fd);
        SyncedSpawner spawner(options);
        spawner.step(step);
        CHECK(text_of(failure_of(spawner)) == "prepare the launch: descriptor " +
                                                  std::to_string(fd) + whose +
                                                  ": bad file descriptor");
    }
    CHECK_FALSE(has_begun);
}

TEST_CASE("prepare: the limit of descriptors is told, at whichever of them it is reached") {
    Peer peer([] {
        close_range(3, ~0U, 0);
        bool was_barrier = false;
        for (int limit = 3;; ++limit) {
            limit_descriptors_to(limit);
            SpawnError error;
            Process process = SyncedSpawner({.program = "true"}).spawn(error);
            limit_descriptors_to(100);  // for what looks at them
            if (error.stage() != Stage::prepare) {
                break;
            }
            was_barrier = error.detail() == "open the barrier";
            const std::string hint =
                ": too many open files (this process's limit of descriptors "
                "is reached: RLIMIT_NOFILE)";
            expect_same(error.what(), ("prepare the launch: " + error.detail() + hint).c_str());
            expect(open_descriptors().size() == 3);
        }
        expect(was_barrier);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("start: fork that fails is told with the limit it met") {
    Peer peer([] {
        const auto before = open_descriptors();
        refuse_system_calls({SYS_clone, SYS_clone3}, EAGAIN);
        const SpawnError error = failure_of({.program = "true"});
        expect_same(error.what(),
                    "start the child: fork: resource temporarily unavailable (the limit of "
                    "processes is reached: RLIMIT_NPROC, pids.max of the cgroup, or "
                    "kernel.pid_max)");
        expect(error.stage() == Stage::start && !error.program_may_have_run());
        expect(open_descriptors() == before);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("start: namespaces that need a capability say so") {
    Peer peer([] {
        expect(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
        expect_same(
            failure_of({.program = "true", .birth = {.namespaces = Namespaces::uts}}).what(),
            "start the child: clone: operation not permitted (these namespaces need "
            "CAP_SYS_ADMIN, or a user namespace beside them)");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("start: a limit of namespaces is told") {
    Peer peer([] {
        // A user namespace of its own may lower its limits.
        if (unshare(CLONE_NEWUSER) < 0) {
            leave_out_here("this machine forbids new namespaces");
        }
        std::ofstream("/proc/self/uid_map") << "0 0 1";
        std::ofstream limit("/proc/sys/user/max_user_namespaces");
        limit << "0" << std::flush;
        if (!limit) {
            return;
        }
        expect_same(
            failure_of({.program = "true", .birth = {.namespaces = Namespaces::user}}).what(),
            "start the child: clone3: no space left on device (a limit of namespaces is "
            "reached: see the sysctls user.max_*_namespaces)");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("working directory: one that cannot be entered is named") {
    const SpawnError error = failure_of({.program = "true", .working_directory = "/nowhere"});
    CHECK(text_of(error) == "chdir to '/nowhere' in the child: no such file or directory");
    CHECK(error.stage() == Stage::working_directory);
    CHECK(error.side() == WhichSide::child);
}

TEST_CASE("descriptors: one that a step closed before it was passed on is told") {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    const int fd = read_end.get();
    SpawnOptions options{.program = "true", .descriptors = {.passed = {{fd, 5}}}};
    const SpawnError error = failure_of(with_child([fd](ChildSide&) { close(fd); }, options));
    CHECK(text_of(error) == "arrange descriptors in the child: dup2: bad file descriptor");
    CHECK(error.stage() == Stage::descriptors);
    CHECK_FALSE(error.program_may_have_run());
}

// It fails at the barrier if the parent is late there, else at the standard input.
TEST_CASE("step: a child part that takes the launch its descriptors is told of the limit") {
    SyncedSpawner spawner({.program = "true", .streams = {.input = Stdio::null()}});
    spawner.step({.name = "x", .child = async_signal_safe([](ChildSide&) {
                                   const rlimit none{0, 0};
                                   setrlimit(RLIMIT_NOFILE, &none);
                               })});
    CHECK(failure_of(spawner).hint() ==
          "the child's limit of descriptors is too low for the launch: RLIMIT_NOFILE");
}

TEST_CASE("step: a part that fails is named with its side, its call and its errno") {
    SyncedSpawner spawner({.program = "true"});
    SUBCASE("in the child") {
        spawner.step({.name = "x", .child = after_fork([](ChildSide& side) {
                                       return chdir("/nowhere") < 0 ? side.fail("chdir")
                                                                    : side.done();
                                   })});
        const SpawnError error = failure_of(spawner);
        CHECK(text_of(error) == "x in the child: chdir: no such file or directory");
        CHECK(error.side() == WhichSide::child);
        CHECK(error.stage() == Stage::step);
        CHECK(error.step() == "x");
        CHECK(error.detail() == "chdir");
        CHECK(error.code() == std::errc::no_such_file_or_directory);
    }
    SUBCASE("in the parent") {
        spawner.step(
            {.name = "x", .parent = [](ParentSide& side) { return side.fail(EACCES, "open"); }});
        CHECK(text_of(failure_of(spawner)) == "x in the parent: open: permission denied");
    }
    SUBCASE("in the parent, with a code and no call") {
        spawner.step({.name = "x", .parent = [](ParentSide&) {
                          return std::make_error_code(std::errc::io_error);
                      }});
        CHECK(text_of(failure_of(spawner)) == "x in the parent: input/output error");
    }
}

TEST_CASE("step: of two failures the first is told") {
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "first",
                  .child = after_fork([](ChildSide& side) { return side.fail(EIO, "call"); })});
    spawner.step({.name = "second", .parent = [](ParentSide& side) {
                      comes_to_state(side.child_pid(), 'Z');
                      return side.fail(EPERM, "call");
                  }});
    CHECK(text_of(failure_of(spawner)) == "first in the child: call: input/output error");
}

TEST_CASE("step: a child that ends in it is told with how it ended") {
    const auto end_of = [](Part<ChildSide> part) {
        return failure_of(with_child(std::move(part)));
    };
    SpawnError error = end_of([](ChildSide&) { die_of(SIGKILL); });
    CHECK(text_of(error) == "the child was killed by SIGKILL in step 'x'");
    CHECK(error.cause() == Cause::killed);
    CHECK(error.status() == ExitStatus::killed(SIGKILL));
    CHECK(error.code() == std::errc::no_child_process);
    CHECK_FALSE(error.program_may_have_run());
    CHECK(text_of(end_of([](ChildSide&) { die_of(SIGSEGV); })) ==
          "the child was killed by SIGSEGV in step 'x'");
    error = end_of([](ChildSide&) { _exit(7); });
    CHECK(text_of(error) == "the child exited with code 7 in step 'x'");
    CHECK(error.cause() == Cause::exited);
}

TEST_CASE("rendezvous: a child that is killed while it waits is told with where") {
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "kill", .parent = [](ParentSide& side) {
                      const bool waits = is_blocked_in_a_wait(side.child_pid());
                      return waits && kill(side.child_pid(), SIGKILL) == 0 ? side.done()
                                                                           : side.fail("kill");
                  }});
    const SpawnError error = failure_of(spawner);
    CHECK(text_of(error) == "the child was killed by SIGKILL at the rendezvous 'ready to exec'");
    CHECK(error.stage() == Stage::rendezvous);
    CHECK_FALSE(error.program_may_have_run());
}

TEST_CASE("deadline: a child that is late is told with what it is doing") {
    // The child never ends its part, so the time may be as short as one likes. Where it has not come
    // to its part by then, it gets more.
    SpawnError error;
    for (auto timeout = 50ms; timeout < 600s && error.step() != "x"; timeout *= 4) {
        error = failure_of(
            with_child([](ChildSide&) { pause(); },
                       {.program = "true", .setup = {.within = timeout, .abort_grace = 0ns}}));
    }
    CHECK(text_of(error).starts_with("the setup was not done within "));
    CHECK(text_of(error).find("s: the child has been in 'x' for ") != std::string::npos);
    CHECK(error.cause() == Cause::timed_out);
    CHECK(error.stage() == Stage::step);
    CHECK(error.side() == WhichSide::child);
    CHECK(error.code() == std::errc::timed_out);
    CHECK_FALSE(error.program_may_have_run());
}

TEST_CASE("deadline: a parent that is late is told with what it did") {
    SyncedSpawner spawner({.program = "true", .setup = {.within = 2s}});
    spawner.step({.name = "x", .parent = [](ParentSide& side) {
                      while (std::chrono::steady_clock::now() < *side.deadline()) {
                          usleep(1000);
                      }
                  }});
    const SpawnError error = failure_of(spawner);
    CHECK(text_of(error) == "the setup was not done within 2 s: the parent was in 'x' until now");
    CHECK(error.side() == WhichSide::parent);
}

TEST_CASE("deadline: one that has passed at the start leaves a child that never got anywhere") {
    const SpawnError error = failure_of({.program = "true", .setup = {.within = 0ns}});
    CHECK(
        text_of(error).starts_with("the setup was not done within 0 us: the child has been in '"));
    CHECK(text_of(error).ends_with("s"));
    CHECK_FALSE(error.program_may_have_run());
}
