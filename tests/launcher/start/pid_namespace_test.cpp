// A child that is born into a pid namespace which is there already: Birth::pid_namespace.

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "support/cat.hpp"
#include "support/hand_over.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/pid_namespace.hpp"
#include "support/pipe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// It says who it is, and stays until its input ends.
SpawnOptions program_in(int pid_namespace, bool die_with_parent) {
    SpawnOptions options = shell("echo $$ $PPID; readlink /proc/self/ns/pid; read x");
    options.streams = {.input = Stdio::pipe(), .output = Stdio::pipe()};
    options.birth.pid_namespace = pid_namespace;
    options.ending.die_with_parent = die_with_parent;
    return options;
}

Birth copied_in(const PidNamespace& box) {
    return {.method = StartMethod::copied_memory, .pid_namespace = box.file()};
}

void expect_in(const PidNamespace& box, const Process& process) {
    expect(process.start_method() == StartMethod::copied_memory);
    const std::string numbers = next_line(process.standard_output());
    const std::string inside = numbers.substr(0, numbers.find(' '));
    expect_same(numbers.c_str(), (inside + " 0").c_str());
    const std::string outside = std::to_string(process.pid());
    expect_same(value_in("/proc/" + outside + "/status", "NSpid").c_str(),
                (outside + "\t" + inside).c_str());
    expect_same(next_line(process.standard_output()).c_str(), box.link().c_str());
}

void expect_own_children_to_be_here() {
    const std::string here = std::filesystem::read_symlink("/proc/self/ns/pid");
    expect_same(output_of(shell("readlink /proc/self/ns/pid")).c_str(), (here + "\n").c_str());
    expect_same(std::filesystem::read_symlink("/proc/thread-self/ns/pid_for_children").c_str(),
                here.c_str());
}

// One program for each way to name the namespace, each killed with the first process there.
void launch_into_namespaces() {
    for (const bool die_with_parent : {false, true}) {
        PidNamespace box;
        for (const int descriptor : {box.file(), box.pidfd()}) {
            Process process = SyncedSpawner(program_in(descriptor, die_with_parent)).spawn();
            expect_in(box, process);
            process.kill();
        }
        Process process = SyncedSpawner(program_in(box.file(), die_with_parent)).spawn();
        expect_in(box, process);
        box.kill_first();
        expect_same(process.wait().signal(), SIGKILL);
        expect_own_children_to_be_here();
    }
}

}  // namespace

TEST_CASE("a program is born into a pid namespace and killed with it, also in a user's own") {
    Peer any = peer_that_may_enter([] { launch_into_namespaces(); });
    CHECK_REACHED_THE_END_OR_SKIP(any);
    Peer user([] {
        become_ordinary_user();
        enter_own_user_namespace();
        launch_into_namespaces();
    });
    CHECK_REACHED_THE_END_OR_SKIP(user);
}

TEST_CASE("the program attaches to the barrier from another pid namespace") {
    Peer peer = peer_that_may_enter([] {
        const PidNamespace box;
        SpawnOptions options{.program = helper("launch_meets"),
                             .arguments = {"2"},
                             .readiness = {.within = std::chrono::minutes(10)}};
        options.birth.pid_namespace = box.file();
        Process process = SyncedSpawner(options).spawn();
        expect(process.barrier().place_and_sync() == Outcome::reached);
        expect_same(process.wait().code(), 42);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("parts of any rules run in the child, with other namespaces or without") {
    const auto is_born_elsewhere = [](ChildSide& side) {
        return getppid() == 0 && getpid() != 1 ? side.done() : side.fail(ECHILD, "getppid");
    };
    Peer peer = peer_that_may_enter([&] {
        const PidNamespace box;
        for (const Namespaces others : {Namespaces::none, Namespaces::uts | Namespaces::ipc}) {
            SpawnOptions options = program_in(box.file(), false);
            options.birth.namespaces = others;
            pid_t seen = 0;
            SyncedSpawner spawner(options);
            spawner.step({.name = "shared",
                          .child = shared_memory(is_born_elsewhere),
                          .parent = [&](ParentSide& side) { seen = side.child_pid(); }});
            spawner.step({.name = "safe", .child = async_signal_safe(is_born_elsewhere)});
            if (others == Namespaces::none) {
                spawner.step({.name = "fork", .child = after_fork([&](ChildSide& side) {
                                                  return is_born_elsewhere(side);
                                              })});
            }
            const Process process = spawner.spawn();
            expect_in(box, process);
            expect_same(seen, process.pid());
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("no thread is left, and no other child is born there, whatever becomes of the launch") {
    Peer peer = peer_that_may_enter([] {
        const PidNamespace box;
        const std::size_t threads = count_threads();
        (void)SyncedSpawner(program_in(box.file(), false)).spawn().kill();
        expect_same(static_cast<long long>(count_threads()), static_cast<long long>(threads));
        std::thread other([] {
            for (int launch = 0; launch < 20; ++launch) {
                expect_own_children_to_be_here();
            }
        });
        for (int launch = 0; launch < 20; ++launch) {
            SpawnOptions options = program_in(box.file(), launch % 2 == 0);
            if (launch % 3 == 0) {
                options.program = "/no/such/program";
                expect(failure_of(options).stage() == Stage::execve);
            } else {
                expect_in(box, SyncedSpawner(options).spawn());
            }
            expect_own_children_to_be_here();
        }
        other.join();
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a program that is to die with its parent outlives the thread, not the process") {
    Peer peer = peer_that_may_enter([] {
        for (const bool die_with_parent : {true, false}) {
            const PidNamespace box;
            Cat cat;
            Peer launcher([&] {
                on_a_short_lived_thread([&] { cat.launch(copied_in(box), die_with_parent); });
                expect(cat.repeats());
            });
            expect_same(launcher.ending().c_str(), reached_the_end.c_str());
            if (!die_with_parent) {
                expect(cat.repeats());
                expect(kill(cat.pid(), SIGTERM) == 0);
            }
            expect_same(cat.ending().c_str(),
                        die_with_parent ? "killed by SIGKILL" : "killed by SIGTERM");
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a parent that is killed during the setup takes the child along") {
    Peer peer = peer_that_may_enter([] {
        for (const bool die_with_parent : {true, false}) {
            const PidNamespace box;
            Cat cat;
            Peer launcher([&] {
                SyncedSpawner spawner(cat.options(copied_in(box), die_with_parent));
                spawner.step({.name = "x",
                              .child = async_signal_safe([](ChildSide&) {}),
                              .parent =
                                  [&](ParentSide& side) {
                                      cat.is(side.child_pid());
                                      (void)raise(SIGKILL);
                                  },
                              .order = StepOrder::child_first});
                (void)spawner.spawn();
            });
            expect_same(launcher.ending().c_str(), "killed by SIGKILL");
            const std::string ending = cat.ending();
            expect(ending == "exited" || (die_with_parent && ending == "killed by SIGKILL"));
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
