#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// A child that shares the parent's memory until execve: when it does, and that a launch is otherwise
// the same.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string helper(const std::string& name) { return SYNCSPAWN_TEST_HELPERS "/" + name; }

StartMethod method_of(const SyncedSpawner& spawner) {
    Process process = spawner.spawn();
    CHECK(process.wait().success());
    return process.start_method();
}

const Part<ChildSide> does_nothing = [](ChildSide&) {};

}  // namespace

TEST_CASE("automatic shares memory if every child part may") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SyncedSpawner spawner({.program = "true"});
    CHECK(method_of(spawner) == StartMethod::shared_memory);
    spawner.step({.name = "parent", .parent = [](ParentSide&) {}});
    spawner.step({.name = "x", .child = shared_memory(does_nothing)});
    spawner.rendezvous("both");
    spawner.step({.name = "y", .child = shared_memory(does_nothing)});
    CHECK(method_of(spawner) == StartMethod::shared_memory);
    SUBCASE("but not one that is only async-signal-safe") {
        spawner.step({.name = "z", .child = async_signal_safe(does_nothing)});
        CHECK(method_of(spawner) == StartMethod::copied_memory);
    }
    SUBCASE("but not one that needs a fork") {
        spawner.step({.name = "z", .child = after_fork(does_nothing)});
        CHECK(method_of(spawner) == StartMethod::copied_memory);
    }
}

TEST_CASE("a method that is asked for by its name is taken") {
    SyncedSpawner copying({.program = "true", .birth = {.method = StartMethod::copied_memory}});
    copying.step({.name = "x", .child = shared_memory(does_nothing)});
    CHECK(method_of(copying) == StartMethod::copied_memory);
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SyncedSpawner sharing_spawner(with_shared_memory({.program = "true"}));
    sharing_spawner.step({.name = "x", .child = shared_memory(does_nothing)});
    CHECK(method_of(sharing_spawner) == StartMethod::shared_memory);
}

TEST_CASE("shared memory asked for by its name refuses a part that may not") {
    for (const ChildRules rules : {ChildRules::async_signal_safe, ChildRules::after_fork}) {
        SyncedSpawner spawner(with_shared_memory({.program = "true"}));
        CHECK_THROWS_WITH_AS(
            spawner.step({.name = "x", .child = {rules, does_nothing}}),
            "syncspawn: step 'x': StartMethod::shared_memory takes child parts that are "
            "ChildRules::shared_memory",
            std::invalid_argument);
        // A step without a child part may come along, and the one refused is not there.
        spawner.step({.name = "y", .parent = [](ParentSide&) {}});
        CHECK((!memory_can_be_shared() || spawner.spawn().wait().success()));
    }
}

TEST_CASE("a process that is none has no start method") {
    CHECK_THROWS_AS((void)Process().start_method(), std::logic_error);
}

TEST_CASE("both sides run at the same time and see what the other one writes") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Turns turns;
    std::atomic<int> of_child{0};
    std::atomic<int> of_parent{0};
    constexpr int rounds = 200;
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x",
                  .child = shared_memory([&](ChildSide& side) {
                      for (int round = 1; round <= rounds; ++round) {
                          of_child = round;
                          if (!turns.meet(WhichSide::child) || of_parent != round ||
                              !turns.meet(WhichSide::child)) {
                              return side.fail(EIO, "the parent's number");
                          }
                      }
                      return side.done();
                  }),
                  .parent = [&](ParentSide& side) {
                      for (int round = 1; round <= rounds; ++round) {
                          of_parent = round;
                          if (!turns.meet(WhichSide::parent) || of_child != round ||
                              !turns.meet(WhichSide::parent)) {
                              return side.fail(EIO, "the child's number");
                          }
                      }
                      return side.done();
                  }});
    CHECK(method_of(spawner) == StartMethod::shared_memory);
}

TEST_CASE("with copied memory the parent does not see what the child writes") {
    // So that the test above says something.
    std::atomic<int> of_child{0};
    int seen = -1;
    SyncedSpawner spawner({.program = "true", .birth = {.method = StartMethod::copied_memory}});
    spawner.step({.name = "x",
                  .child = shared_memory([&](ChildSide&) { of_child = 1; }),
                  .parent = [&](ParentSide&) { seen = of_child; },
                  .order = StepOrder::child_first});
    CHECK(method_of(spawner) == StartMethod::copied_memory);
    CHECK(seen == 0);
}

TEST_CASE("descriptors, directory and limits of the child are not the parent's") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const auto descriptors = open_descriptors();
    const auto directory = std::filesystem::current_path();
    const std::string umask_before = value_in("/proc/self/status", "Umask");
    SpawnOptions options = shell("pwd; umask");
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(with_shared_memory(options));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                   umask(0077);
                                   close(STDIN_FILENO);
                                   return chdir("/") < 0 ? side.fail("chdir") : side.done();
                               })});
    Process process = spawner.spawn();
    CHECK(read_all(process.standard_output()) == "/\n0077\n");
    CHECK(process.wait().success());
    process = Process();
    CHECK(open_descriptors() == descriptors);
    CHECK(std::filesystem::current_path() == directory);
    CHECK(value_in("/proc/self/status", "Umask") == umask_before);
}

// Signals.

namespace {

std::atomic<int> handled{0};

void count_signal(int) { ++handled; }

std::string status_of_program(SpawnOptions options, const std::string& key) {
    options.program = "/bin/grep";
    options.arguments = {"^" + key + ":", "/proc/self/status"};
    return output_of(with_shared_memory(std::move(options)));
}

bool has_signal(const std::string& line, int signal) {
    const std::string mask = line.substr(line.find_last_of(" \t") + 1);
    return ((std::stoull(mask, nullptr, 16) >> (signal - 1)) & 1) != 0;
}

}  // namespace

TEST_CASE("the program has the caller's signal mask or its own, and the caller keeps its own") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR1);
        sigprocmask(SIG_SETMASK, &mask, nullptr);
        expect_same(status_of_program({}, "SigBlk").c_str(), "SigBlk:\t0000000000000200\n");
        SpawnOptions options;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR2);
        options.signals.mask = mask;
        expect_same(status_of_program(options, "SigBlk").c_str(), "SigBlk:\t0000000000000800\n");
        expect_same(value_in("/proc/thread-self/status", "SigBlk").c_str(), "0000000000000200");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("ignored signals and handlers are the program's as after any execve") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, count_signal);
        const std::string before = value_in("/proc/self/status", "SigCgt");
        SpawnOptions options;
        const std::string ignored = status_of_program(options, "SigIgn");
        expect(has_signal(ignored, SIGUSR1));
        expect(!has_signal(ignored, SIGUSR2));
        options.signals.ignored = IgnoredSignals::reset;
        expect_same(status_of_program(options, "SigIgn").c_str(), "SigIgn:\t0000000000000000\n");
        // Nothing of that is the parent's.
        expect_same(value_in("/proc/self/status", "SigCgt").c_str(), before.c_str());
        struct sigaction action {};
        sigaction(SIGUSR1, nullptr, &action);
        expect(action.sa_handler == SIG_IGN);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a handler of the parent never runs in the child") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    // It would count in the memory that both share.
    Peer peer([] {
        signal(SIGUSR1, count_signal);
        Turns turns;
        SyncedSpawner spawner(with_shared_memory({.program = "true"}));
        spawner.step({.name = "x",
                      .child = shared_memory([&](ChildSide& side) {
                          turns.meet(WhichSide::child);
                          turns.meet(WhichSide::child);
                          sigset_t pending;
                          sigpending(&pending);
                          return sigismember(&pending, SIGUSR1) == 1 ? side.done()
                                                                     : side.fail(EIO, "SIGUSR1");
                      }),
                      .parent = [&](ParentSide& side) {
                          turns.meet(WhichSide::parent);
                          kill(side.child_pid(), SIGUSR1);
                          turns.meet(WhichSide::parent);
                      }});
        expect_same(failure_of(spawner).what(), "the child was killed by SIGUSR1 in execve 'true'");
        expect_same(handled, 0);
        raise(SIGUSR1);
        expect_same(handled, 1);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a signal handler that a child part installs is not the parent's") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        SyncedSpawner spawner(with_shared_memory({.program = "true"}));
        spawner.step({.name = "x", .child = shared_memory([](ChildSide& side) {
                                       struct sigaction action {};
                                       action.sa_handler = SIG_IGN;
                                       return sigaction(SIGTERM, &action, nullptr) < 0
                                                  ? side.fail("sigaction")
                                                  : side.done();
                                   })});
        expect(spawner.spawn().wait().success());
        struct sigaction action {};
        sigaction(SIGTERM, nullptr, &action);
        expect(action.sa_handler == SIG_DFL);
    });
    CHECK(peer.ending() == reached_the_end);
}

// Failures.

namespace {

struct Failing {
    const char* name;
    std::function<SyncedSpawner(StartMethod)> spawner;
    const char* text;  // how it begins
};

SpawnOptions program(StartMethod method) {
    return {.program = "true", .birth = {.method = method}};
}

SyncedSpawner with_part(SpawnOptions options, Part<ChildSide> part) {
    SyncedSpawner spawner(std::move(options));
    return spawner.step({.name = "x", .child = shared_memory(std::move(part))});
}

// For either method: a program with these options, and a child part.
auto with_options(void (*change)(SpawnOptions&), const Part<ChildSide>& part) {
    return [=](StartMethod method) {
        SpawnOptions options = program(method);
        change(options);
        return with_part(options, part);
    };
}

[[noreturn]] void wait_for_ever(ChildSide&) {
    for (;;) {
        pause();
    }
}

SyncedSpawner not_ready(StartMethod method, const char* does) {
    return SyncedSpawner({.program = helper("launch_readiness"),
                          .arguments = {does},
                          .birth = {.method = method},
                          .readiness = {.within = 60s}});
}

int readable() {
    static const UniqueFd event(eventfd(1, EFD_CLOEXEC));
    return event.get();
}

const Failing failing[]{
    {"a part that fails",
     [](StartMethod method) {
         return with_part(program(method), [](ChildSide& side) {
             return chdir("/nowhere") < 0 ? side.fail("chdir") : side.done();
         });
     },
     "x in the child: chdir: no such file or directory"},
    {"a part that fails without an errno",
     [](StartMethod method) {
         return with_part(program(method),
                          [](ChildSide&) { return std::make_error_code(std::io_errc::stream); });
     },
     "x in the child: "},
    {"a part that throws",
     [](StartMethod method) {
         return with_part(program(method), [](ChildSide&) { throw std::runtime_error("no more"); });
     },
     "x in the child: exception: no more"},
    {"a part that exits",
     [](StartMethod method) { return with_part(program(method), [](ChildSide&) { _exit(7); }); },
     "the child exited with code 7 in step 'x'"},
    {"a part of the parent that fails",
     [](StartMethod method) {
         SyncedSpawner spawner = with_part(program(method), does_nothing);
         return spawner.step(
             {.name = "y", .parent = [](ParentSide& side) { return side.fail(EACCES, "open"); }});
     },
     "y in the parent: open: permission denied"},
    {"a part of the parent that throws while the child is in its own",
     [](StartMethod method) {
         SpawnOptions options = program(method);
         options.setup.abort_grace = 0ns;
         SyncedSpawner spawner = with_part(options, wait_for_ever);
         return spawner.step({.name = "y", .parent = [](ParentSide& side) {
                                  comes_to_state(side.child_pid(), 'S');
                                  throw std::runtime_error("no more");
                              }});
     },
     "y in the parent: exception: no more"},
    {"a child that is killed at a rendezvous",
     [](StartMethod method) {
         SyncedSpawner spawner = with_part(program(method), does_nothing);
         return spawner.step({.name = "y", .parent = [](ParentSide& side) {
                                  (void)is_blocked_in_a_wait(side.child_pid());
                                  kill(side.child_pid(), SIGKILL);
                              }});
     },
     "the child was killed by SIGKILL at the rendezvous 'ready to exec'"},
    {"a launch that is cancelled",
     with_options(
         [](SpawnOptions& options) {
             options.setup.cancel_when_readable = readable();
             options.setup.abort_grace = 0ns;
         },
         wait_for_ever),
     "the launch was cancelled"},
    {"a working directory that is missing",
     with_options([](SpawnOptions& options) { options.working_directory = "/nowhere"; },
                  does_nothing),
     "chdir to '/nowhere' in the child: no such file or directory"},
    {"a descriptor that a part closed",
     with_options(
         [](SpawnOptions& options) {
             options.descriptors.passed = {{readable(), 5}};
         },
         [](ChildSide&) { close(readable()); }),
     "arrange descriptors in the child: dup2: bad file descriptor"},
    {"a program that is missing",
     with_options([](SpawnOptions& options) { options.program = "/nowhere"; }, does_nothing),
     "execve '/nowhere' in the child: no such file or directory"},
    {"a program that is not in PATH",
     with_options([](SpawnOptions& options) { options.program = "no-such-program"; }, does_nothing),
     "execve 'no-such-program' in the child: no such file or directory (it is in no directory"},
    {"a program that exits before it is ready",
     [](StartMethod method) { return not_ready(method, "exits"); },
     "the program exited with code 3 before it was ready"},
    {"a program that aborts", [](StartMethod method) { return not_ready(method, "aborts"); },
     "the program aborted the barrier before it was ready"},
};

void check_same_failure(const SpawnError& shared, const SpawnError& copied) {
    CHECK(shared.side() == copied.side());
    CHECK(shared.stage() == copied.stage());
    CHECK(shared.cause() == copied.cause());
    CHECK(shared.step() == copied.step());
    CHECK(shared.code() == copied.code());
    CHECK(shared.status() == copied.status());
    CHECK(shared.program_may_have_run() == copied.program_may_have_run());
}

}  // namespace

TEST_CASE("a launch with shared memory fails as one with copied memory does") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    (void)readable();
    const auto before = open_descriptors();
    for (const Failing& kind : failing) {
        CAPTURE(kind.name);
        const SpawnError copied = failure_of(kind.spawner(StartMethod::copied_memory));
        const SpawnError shared = failure_of(kind.spawner(StartMethod::shared_memory));
        const std::string text = shared.what();
        CHECK(text.substr(0, std::string(kind.text).size()) == kind.text);
        // One that exits is asked whether it was by exit(3), which would have been the parent's.
        const bool is_asked = shared.cause() == Cause::exited && shared.stage() == Stage::step;
        CHECK((is_asked || text == copied.what()));
        CHECK((is_asked || shared.hint() == copied.hint()));
        check_same_failure(shared, copied);
    }
    CHECK(open_descriptors() == before);
    CHECK(count_children() == 0);
}

TEST_CASE("a deadline that passes in a part is told alike with shared and with copied memory") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    // The part never ends, so the time may be as short as one likes. A child that has not come to its
    // part by then gets more.
    const auto late_in_its_part = [](StartMethod method) {
        SpawnError error;
        for (auto timeout = 50ms; timeout < 600s && error.step() != "x"; timeout *= 4) {
            SpawnOptions options = program(method);
            options.setup.within = timeout;
            options.setup.abort_grace = 0ns;
            error = failure_of(with_part(options, wait_for_ever));
        }
        return error;
    };
    const SpawnError shared = late_in_its_part(StartMethod::shared_memory);
    const std::string text = shared.what();
    CHECK(text.starts_with("the setup was not done within "));
    CHECK(text.find(": the child has been in 'x' for ") != std::string::npos);
    CHECK(shared.cause() == Cause::timed_out);
    check_same_failure(shared, late_in_its_part(StartMethod::copied_memory));
}

TEST_CASE("what the parent did is undone once a child that shared memory is gone") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    std::string log;
    pid_t child = -1;
    SyncedSpawner spawner(with_shared_memory({.program = "true"}));
    spawner.step({.name = "x",
                  .parent =
                      [&](ParentSide& side) {
                          child = side.child_pid();
                          log += "done";
                      },
                  .undo =
                      [&](ParentSide&) {
                          log += kill(child, 0) < 0 && errno == ESRCH ? ", undone" : ", too early";
                      }});
    spawner.step({.name = "y", .child = shared_memory([](ChildSide&) { _exit(7); })});
    CHECK(failure_of(spawner).cause() == Cause::exited);
    CHECK(log == "done, undone");
}

// Hand-over.

TEST_CASE("launches of one spawner at once hand each program its own barrier") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    constexpr int thread_count = 8;
    constexpr int launches = is_sanitized ? 5 : 40;
    SyncedSpawner spawner(with_shared_memory(
        {.program = helper("launch_meets"), .arguments = {"3"}, .readiness = {.within = 60s}}));
    spawner.step({.name = "x", .child = shared_memory(does_nothing)});
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < thread_count; ++number) {
        threads.emplace_back([&] {
            for (int launch = 0; launch < launches; ++launch) {
                SpawnError error;
                Process process = spawner.spawn(error);
                const bool went_well = process &&
                                       process.start_method() == StartMethod::shared_memory &&
                                       process.barrier().place_and_sync() == Outcome::reached &&
                                       process.barrier().place_and_sync() == Outcome::reached &&
                                       process.wait().code() == 42;
                good += went_well ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == thread_count * launches);
    CHECK(count_children() == 0);
}

// Namespaces.

namespace {

struct NamedNamespace {
    Namespaces kind;
    const char* name;
};

constexpr NamedNamespace every_namespace[]{
    {Namespaces::mount, "mnt"},  {Namespaces::cgroup, "cgroup"}, {Namespaces::uts, "uts"},
    {Namespaces::ipc, "ipc"},    {Namespaces::user, "user"},     {Namespaces::pid, "pid"},
    {Namespaces::network, "net"}};

bool is_forbidden(const SpawnError& error) {
    return error.stage() == Stage::start && (error.code() == std::errc::operation_not_permitted ||
                                             error.code() == std::errc::no_space_on_device);
}

// A program in a user namespace whose map its parent writes before the child's part.
std::string ids_in_own_namespace() {
    SpawnOptions options = shell("id -u; id -g");
    options.birth.namespaces = Namespaces::user;
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(with_shared_memory(options));
    spawner.step(steps::map_root());
    spawner.step({.name = "look", .child = shared_memory([](ChildSide& side) {
                                      return getuid() == 0 ? side.done() : side.fail(EIO, "getuid");
                                  })});
    SpawnError error;
    Process process = spawner.spawn(error);
    if (is_forbidden(error)) {
        return "forbidden";
    }
    return error ? error.what() : read_all(process.standard_output());
}

}  // namespace

TEST_CASE("a child that shares memory is born into namespaces of every kind") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    for (const NamedNamespace& one : every_namespace) {
        CAPTURE(one.name);
        std::string childs;
        SyncedSpawner spawner(with_shared_memory(
            {.program = "true", .birth = {.namespaces = one.kind | Namespaces::user}}));
        spawner.step(steps::map_root());
        spawner.step({.name = "look", .parent = [&](ParentSide& side) {
                          childs = std::filesystem::read_symlink(
                              "/proc/" + std::to_string(side.child_pid()) + "/ns/" + one.name);
                      }});
        SpawnError error;
        Process process = spawner.spawn(error);
        if (is_forbidden(error)) {
            SKIP_TEST("this machine forbids new namespaces");
        }
        REQUIRE(std::string(error.what()) == "no error");
        CHECK(process.start_method() == StartMethod::shared_memory);
        CHECK(process.wait().success());
        const std::string own =
            std::filesystem::read_symlink(std::string("/proc/self/ns/") + one.name);
        CHECK(childs.starts_with(std::string(one.name) + ":["));
        CHECK(childs != own);
    }
}

TEST_CASE("the parent writes the map of a child that shares its memory, and stays dumpable") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const int before = prctl(PR_GET_DUMPABLE);
    const std::string ids = ids_in_own_namespace();
    if (ids == "forbidden") {
        SKIP_TEST("this machine forbids user namespaces");
    }
    CHECK(ids == "0\n0\n");
    CHECK(prctl(PR_GET_DUMPABLE) == before);
    SUBCASE("also without privileges") {
        if (geteuid() != 0) {
            return;  // so it was
        }
        Peer peer([] {
            expect(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
            expect(prctl(PR_SET_DUMPABLE, 1) == 0);
            const std::string unprivileged = ids_in_own_namespace();
            expect(unprivileged == "forbidden" || unprivileged == "0\n0\n");
            expect_same(prctl(PR_GET_DUMPABLE), 1);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a child part in a pid namespace of its own is the first process there") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    std::atomic<pid_t> own_number{0};
    SyncedSpawner spawner(with_shared_memory(
        {.program = "true", .birth = {.namespaces = Namespaces::user | Namespaces::pid}}));
    spawner.step({.name = "x", .child = shared_memory([&](ChildSide&) { own_number = getpid(); })});
    SpawnError error;
    Process process = spawner.spawn(error);
    if (is_forbidden(error)) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    REQUIRE(std::string(error.what()) == "no error");
    CHECK(process.wait().success());
    CHECK(own_number == 1);
}

TEST_CASE("large thread-local variables of the program leave the child its stack") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Process process = SyncedSpawner({.program = helper("large_thread_locals")}).spawn();
    CHECK(process.wait().success());
}
