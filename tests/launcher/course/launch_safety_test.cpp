#include <doctest/doctest.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"

// What a launch leaves alone, and what it leaves behind: nothing.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string helper(const std::string& name) { return SYNCSPAWN_TEST_HELPERS "/" + name; }

// One of several launches, half of which fail, each kind in another stage.
SyncedSpawner kind_of_launch(int number) {
    switch (number % 8) {
        case 1:
            return SyncedSpawner({.program = "/nowhere"});
        case 3:
            return SyncedSpawner({.program = "true", .descriptors = {.passed = {{900, 5}}}});
        case 5: {
            SyncedSpawner spawner({.program = "true", .streams = {.output = Stdio::pipe()}});
            return spawner.step(
                {.name = "x", .child = async_signal_safe([](ChildSide&) { _exit(1); })});
        }
        case 7: {
            SyncedSpawner spawner(
                {.program = "true", .readiness = {.hand_over = HandOver::barrier}});
            return spawner.step(
                {.name = "x", .parent = [](ParentSide& side) { return side.fail(EIO, "call"); }});
        }
        case 2:
            return SyncedSpawner({.program = "true",
                                  .streams = {.input = Stdio::pipe()},
                                  .readiness = {.hand_over = HandOver::barrier}});
        default:
            return SyncedSpawner({.program = "true", .streams = {.error = Stdio::null()}});
    }
}

// All that a launch might change of its caller.
std::string state_of_caller() {
    std::ostringstream text;
    const std::string status = "/proc/thread-self/status";
    for (const char* key : {"SigBlk", "SigIgn", "SigCgt", "SigPnd", "Umask", "NoNewPrivs"}) {
        text << key << value_in(status, key) << "\n";
    }
    text << std::filesystem::current_path() << read_file("/proc/self/oom_score_adj");
    for (char** entry = environ; *entry != nullptr; ++entry) {
        text << *entry << "\n";
    }
    for (const int fd : open_descriptors()) {
        text << fd << (is_close_on_exec(fd) ? "c " : " ");
    }
    return text.str();
}

// A line of /proc/self/status as the program sees it.
std::string status_of_program(SpawnOptions options, const std::string& key) {
    options.program = "/bin/grep";
    options.arguments = {"^" + key + ":", "/proc/self/status"};
    return output_of(std::move(options));
}

bool has_signal(const std::string& line, int signal) {
    const std::string mask = line.substr(line.find_last_of(" \t") + 1);
    return ((std::stoull(mask, nullptr, 16) >> (signal - 1)) & 1) != 0;
}

}  // namespace

TEST_CASE("a thousand launches, half of which fail, leave no descriptor and no process") {
    const auto before = open_descriptors();
    for (int number = 0; number < 1000; ++number) {
        SpawnError error;
        const Process process = kind_of_launch(number).spawn(error);
        CHECK(static_cast<bool>(error) == (number % 2 == 1));
    }
    CHECK(open_descriptors() == before);
    CHECK(count_children() == 0);
}

TEST_CASE("the state of the caller is afterwards what it was") {
    const std::string before = state_of_caller();
    for (int number = 0; number < 8; ++number) {
        SpawnError error;
        const Process process = kind_of_launch(number).spawn(error);
    }
    CHECK(state_of_caller() == before);
}

TEST_CASE("what a child part changes of its process is not the parent's") {
    const std::string before = state_of_caller();
    SpawnOptions options = shell("umask; pwd; echo $SYNCSPAWN_TEST_VARIABLE");
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(options);
    spawner.step({.name = "x", .child = after_fork([](ChildSide& side) {
                                   umask(0077);
                                   setenv("SYNCSPAWN_TEST_VARIABLE", "x", 1);
                                   signal(SIGUSR1, SIG_IGN);
                                   return chdir("/") < 0 ? side.fail("chdir") : side.done();
                               })});
    {
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "0077\n/\n\n");
        CHECK(process.wait().success());
    }
    CHECK(state_of_caller() == before);
}

TEST_CASE("the program has the caller's signal mask, or the one it is given") {
    Peer peer([] {
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR1);
        sigprocmask(SIG_SETMASK, &mask, nullptr);
        expect_same(status_of_program({}, "SigBlk").c_str(), "SigBlk:\t0000000000000200\n");
        SpawnOptions options;
        sigemptyset(&mask);
        options.signals.mask = mask;
        expect_same(status_of_program(options, "SigBlk").c_str(), "SigBlk:\t0000000000000000\n");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("an ignored signal stays ignored in the program, unless it is to be reset") {
    Peer peer([] {
        signal(SIGUSR1, SIG_IGN);
        SpawnOptions options;
        expect(has_signal(status_of_program(options, "SigIgn"), SIGUSR1));
        options.signals.ignored = IgnoredSignals::reset;
        expect_same(status_of_program(options, "SigIgn").c_str(), "SigIgn:\t0000000000000000\n");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a handler of the parent does not exist in the child") {
    Peer peer([] {
        signal(SIGUSR1, [](int) { _exit(1); });
        SyncedSpawner spawner({.program = "true"});
        spawner.step({.name = "x", .child = after_fork([](ChildSide& side) {
                                       struct sigaction action {};
                                       sigaction(SIGUSR1, nullptr, &action);
                                       return action.sa_handler == SIG_DFL
                                                  ? side.done()
                                                  : side.fail(EEXIST, "handler");
                                   })});
        expect(spawner.spawn().wait().success());
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE(
    "a descriptor of the parent that is not close-on-exec is neither the child's nor the "
    "program's") {
    const UniqueFd inheritable(eventfd(0, 0));
    const int fd = inheritable.get();
    REQUIRE_FALSE(is_close_on_exec(fd));
    SyncedSpawner spawner(
        {.program = helper("launch_descriptors"), .streams = {.output = Stdio::pipe()}});
    spawner.step({.name = "x", .child = after_fork([fd](ChildSide& side) {
                                   return is_open(fd) ? side.fail(EEXIST, "descriptor")
                                                      : side.done();
                               })});
    Process process = spawner.spawn();
    CHECK(read_all(process.standard_output()) == "0 1 2 ");
    CHECK_FALSE(is_close_on_exec(fd));
}

TEST_CASE("launches of several threads never hold the ends of each other's pipes") {
    // Each program lives until its own input ends. If the child or program of another launch held
    // that end, too, the wait would last as long as the other one; as all wait, that is for ever.
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 8; ++number) {
        threads.emplace_back([&good] {
            Process last;
            for (int round = 0; round < 50; ++round) {
                SyncedSpawner spawner(
                    {.program = "cat",
                     .streams = {.input = Stdio::pipe(), .output = Stdio::pipe()}});
                spawner.rendezvous("both");
                Process process = spawner.spawn();
                process.take_standard_input().reset();
                good += process.wait().success() ? 1 : 0;
                // One more lives on meanwhile, with descriptors as old as itself.
                if (round % 10 == 0) {
                    last = spawner.spawn();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == 8 * 50);
    CHECK(count_children() == 0);
}

TEST_CASE("a launch that is cancelled tells where it was") {
    const UniqueFd event(eventfd(1, EFD_CLOEXEC));
    SpawnOptions options{.program = "true",
                         .setup = {.cancel_when_readable = event.get(), .abort_grace = 0ns}};
    SyncedSpawner spawner(options);
    spawner.step({.name = "x", .child = after_fork([](ChildSide&) { pause(); })});
    const SpawnError error = failure_of(spawner);
    CHECK(error.cause() == Cause::cancelled);
    CHECK(error.code() == std::errc::operation_canceled);
    CHECK(std::string(error.what()) == "the launch was cancelled");
    CHECK(eventfd_count(event.get()) == 1);  // looked at, not read
    CHECK(count_children() == 0);
}

TEST_CASE("no part of the parent runs once the launch is cancelled") {
    const UniqueFd event(eventfd(0, EFD_CLOEXEC));
    SpawnOptions options{.program = "true",
                         .setup = {.cancel_when_readable = event.get(), .abort_grace = 0ns}};
    std::string log;
    const auto noting = [&log](const char* what) {
        return [&log, what](ParentSide&) { log += what; };
    };
    SyncedSpawner spawner(options);
    SUBCASE("before it began") {
        spawner.step({.name = "x", .parent = noting("x")});
        REQUIRE(eventfd_write(event.get(), 1) == 0);
        const SpawnError error = failure_of(spawner);
        CHECK(error.cause() == Cause::cancelled);
        CHECK(error.side() == WhichSide::parent);
        CHECK(error.step() == "x");
        CHECK_FALSE(error.program_may_have_run());
        CHECK(log.empty());
    }
    SUBCASE("in the middle, and what was done is undone") {
        spawner.step({.name = "x",
                      .parent = [&](ParentSide&) { eventfd_write(event.get(), 1); },
                      .undo = noting("x undone")});
        spawner.step({.name = "y", .parent = noting("y"), .undo = noting("y undone")});
        CHECK(failure_of(spawner).cause() == Cause::cancelled);
        CHECK(log == "x undone");
    }
}

TEST_CASE("no descriptor of a launch takes the number of a standard stream that is closed") {
    Peer peer([] {
        close_range(0, ~0U, 0);
        SpawnOptions options{
            .program = "sleep",
            .arguments = {"1000"},
            .streams = {.input = Stdio::pipe(), .output = Stdio::pipe(), .error = Stdio::null()},
            .readiness = {.hand_over = HandOver::barrier}};
        for (const Namespaces namespaces : {Namespaces::none, Namespaces::user}) {
            options.birth.namespaces = namespaces;
            SpawnError error;
            const Process process = SyncedSpawner(options).spawn(error);
            if (namespaces != Namespaces::none && error.stage() == Stage::start) {
                break;  // not permitted
            }
            expect_same(error.what(), "no error");
            expect(process.pidfd() < 0 || process.pidfd() > 2);
            expect(!is_open(0) && !is_open(1) && !is_open(2));
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

// Old kernels, and filters of containers, which know fewer system calls.
TEST_CASE("everything works where newer system calls do not exist") {
    Peer peer([] {
        const UniqueFd inheritable(eventfd(0, 0));
        refuse_system_calls({SYS_clone3, SYS_pidfd_open, SYS_close_range, SYS_pidfd_send_signal},
                            ENOSYS);
        const auto before = open_descriptors();
        for (int number = 0; number < 8; ++number) {
            SpawnError error;
            Process process = kind_of_launch(number).spawn(error);
            expect(static_cast<bool>(error) == (number % 2 == 1));
            expect(!process || process.wait() == ExitStatus::exited(0));
        }
        expect_same(output_of({.program = helper("launch_descriptors")}).c_str(), "0 1 2 ");
        Process ready = SyncedSpawner({.program = helper("launch_meets"),
                                       .arguments = {"1"},
                                       .readiness = {.within = 60s}})
                            .spawn();
        expect(ready.wait().code() == 42);
        Process process = SyncedSpawner({.program = "sleep", .arguments = {"1000"}}).spawn();
        expect(!process.try_wait());
        expect(process.terminate(1h) == ExitStatus::killed(SIGTERM));
        SpawnError error;
        Process born = SyncedSpawner({.program = "true", .birth = {.namespaces = Namespaces::user}})
                           .spawn(error);
        expect(error.code() == std::errc::operation_not_permitted || born.wait().success());
        SyncedSpawner killed({.program = "true"});
        killed.step({.name = "x", .child = async_signal_safe([](ChildSide&) { raise(SIGKILL); })});
        expect_same(failure_of(killed).what(), "the child was killed by SIGKILL in step 'x'");
        born = Process();
        ready = Process();
        process = Process();
        expect(open_descriptors() == before);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("everything works without /proc") {
    Peer peer([] {
        const UniqueFd inheritable(eventfd(0, 0));
        if (unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/proc", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
            mount("none", "/proc", "tmpfs", 0, nullptr) < 0) {
            leave_out_here("this user cannot hide /proc");
        }
        for (int refused = 0; refused < 2; ++refused) {
            for (int number = 0; number < 8; ++number) {
                SpawnError error;
                Process process = kind_of_launch(number).spawn(error);
                expect(static_cast<bool>(error) == (number % 2 == 1));
                expect(!process || process.wait() == ExitStatus::exited(0));
            }
            if (!is_sanitized) {  // a sanitizer in the program needs /proc itself
                expect_same(output_of({.program = helper("launch_descriptors")}).c_str(), "0 1 2 ");
                expect(SyncedSpawner({.program = helper("launch_meets"),
                                      .arguments = {"1"},
                                      .readiness = {.within = 60s}})
                           .spawn()
                           .wait()
                           .code() == 42);
            }
            refuse_system_calls({SYS_close_range}, ENOSYS);  // what /proc was the fallback for
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a thread that is cancelled in a launch gets to its end first") {
    Peer peer([] {
        std::atomic<bool> is_inside{false};
        std::atomic<bool> is_cancelled{false};
        std::atomic<bool> was_launched{false};
        SyncedSpawner spawner({.program = "true"});
        spawner.step({.name = "x", .parent = [&](ParentSide&) {
                          is_inside = true;
                          is_inside.notify_all();
                          is_cancelled.wait(false);
                      }});
        const auto body = [&] {
            Process process = spawner.spawn();
            was_launched = process.wait().success();
            pthread_testcancel();
        };
        pthread_t thread{};
        expect(pthread_create(
                   &thread, nullptr,
                   [](void* what) -> void* {
                       (*static_cast<decltype(body)*>(what))();
                       return nullptr;
                   },
                   const_cast<void*>(static_cast<const void*>(&body))) == 0);
        is_inside.wait(false);
        expect(pthread_cancel(thread) == 0);
        is_cancelled = true;
        is_cancelled.notify_all();
        void* result = nullptr;
        expect(pthread_join(thread, &result) == 0);
        expect(result == PTHREAD_CANCELED && was_launched);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a descriptor that is to cancel must be open") {
    SpawnOptions options{.program = "true"};
    options.setup.cancel_when_readable = 1000;
    CHECK(std::string(failure_of(options).what()) ==
          "prepare the launch: descriptor 1000 that cancels: bad file descriptor");
}
