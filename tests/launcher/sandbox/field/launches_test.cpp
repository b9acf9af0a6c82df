#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>
#include <utility>

#include "launcher/child/sanitizers.hpp"
#include "support/pipe.hpp"
#include "support/sandboxed.hpp"
#include "support/shared_memory.hpp"

// docs/what-fails-elsewhere.md: what opens the gate between the setup and the program, what the program's life is
// tied to, and who has failed if something has.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

SyncedSpawner with_method(const SyncedSpawner& spawner, StartMethod method) {
    SpawnOptions options = spawner.options();
    options.birth.method = method;
    return spawner.with(options);
}

SpawnError failure_within(const Policy& policy, SpawnOptions options) {
    SyncedSpawner spawner(std::move(options));
    planned(policy).add_to(spawner);
    return failure_of(spawner);
}

}  // namespace

TEST_CASE("a gate does not open because the launcher has died at it") {
    for (const StartMethod method : start_methods()) {
        for (const bool dies_with_parent : {true, false}) {
            as_everybody([&] {
                const Sandbox sandbox =
                    planned({.processes = {.die_with_parent = dies_with_parent}});
                const Shared<std::atomic<pid_t>> child;
                Pipe pipe;
                Peer launcher([&] {
                    SyncedSpawner spawner = with_method(spawner_of("echo it ran", sandbox), method);
                    spawner.step({.name = "gate", .parent = [&](ParentSide& side) {
                                      *child = side.child_pid();
                                      for (;;) {
                                          pause();
                                      }
                                  }});
                    (void)pipe.written_by(spawner).spawn();
                });
                expect(comes_true([&] { return *child > 0; }));
                expect(is_blocked_in_a_wait(*child));
                launcher.send(SIGKILL);
                expect(pipe.rest().empty());
            });
        }
    }
}

TEST_CASE("a gate does not open because the child has died at it") {
    for (const StartMethod method : start_methods()) {
        as_everybody([&] {
            bool is_open = false;
            SyncedSpawner spawner = with_method(spawner_of("echo it ran", planned({})), method);
            spawner.step({.name = "gate",
                          .child = shared_memory([](ChildSide&) {
                              kill(getpid(), SIGKILL);
                              _exit(0);
                          }),
                          .parent = [&](ParentSide&) { is_open = true; },
                          .order = StepOrder::child_first});
            const SpawnError error = failure_of(spawner);
            expect(error.side() == WhichSide::child);
            expect(error.step() == "gate");
            expect(!error.program_may_have_run());
            expect(!is_open);
        });
    }
}

TEST_CASE("the thread that launched a program may end, and the launcher's end takes all along") {
    if (syncspawn::detail::is_thread_sanitized()) {
        SKIP_TEST("the sanitizer takes a child that is cloned among threads for one of them");
    }
    as_everybody([] {
        Pipe pipe;
        Peer launcher([&] {
            const SyncedSpawner piped = pipe.written_by(spawner_of(
                "sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &); read line; echo $line; "
                "sleep 1000",
                planned({})));
            SpawnOptions options = piped.options();
            options.streams.input = Stdio::pipe();
            Process process;
            std::thread launches([&] { process = piped.with(options).spawn(); });
            launches.join();
            expect(write(process.standard_input(), "alive\n", 6) == 6);
            for (;;) {
                pause();
            }
        });
        expect_same(pipe.line().c_str(), "alive");
        launcher.send(SIGKILL);
        expect(pipe.rest().empty());
    });
}

TEST_CASE("a program that exits as a launcher does when it fails is no failed launch") {
    as_everybody([] {
        for (const bool has_reaper : {true, false}) {
            const Sandbox sandbox = planned({.processes = {.reaper = has_reaper}});
            for (const int code : {0, 1, 125, 126, 127, 128 + SIGKILL, 255}) {
                SpawnError error;
                Process process = spawner_of("exit " + std::to_string(code), sandbox).spawn(error);
                expect(!error);
                expect(process.wait() == ExitStatus::exited(code));
            }
        }
        Process killed = spawner_of("kill -KILL $$", planned({})).spawn();
        expect(killed.wait() == ExitStatus::killed(SIGKILL));
    });
}

TEST_CASE("a launch that fails is an error with its step, and the program has not run") {
    const Place place;
    const std::string no_program = place.file("no_program", "", 0644);
    as_everybody([&] {
        const Policy all{.files = {.private_tmp = false}};
        const SpawnError missing = failure_within(all, {.program = place / "missing"});
        expect(missing.stage() == Stage::execve);
        expect(missing.code() == std::errc::no_such_file_or_directory);
        expect(!missing.program_may_have_run());
        const SpawnError refused = failure_within(all, {.program = no_program});
        expect(refused.stage() == Stage::execve);
        expect(refused.code() == std::errc::permission_denied);
        expect(!refused.program_may_have_run());
        SyncedSpawner spawner = spawner_of("echo it ran", planned(all));
        spawner.step({.name = "late", .child = shared_memory([](ChildSide& side) {
                                          return side.fail(EIO, "late");
                                      })});
        const SpawnError failed = failure_of(spawner);
        expect(failed.stage() == Stage::step);
        expect(failed.step() == "late");
        expect(failed.code() == std::errc::io_error);
        expect(!failed.program_may_have_run());
    });
}

TEST_CASE("a program that the sandbox hides is not said to be missing") {
    const Place place;
    const std::string directory = place.made("directory");
    const std::string program = place.file("directory/program", "#!/bin/sh\n", 0755);
    as_everybody([&] {
        const auto expect_hint = [](const Policy& policy, SpawnOptions options,
                                    const std::string& path, int line = __builtin_LINE()) {
            const SpawnError error = failure_within(policy, std::move(options));
            expect(error.hint().starts_with("'" + path + "' is there for this process, but "),
                   line);
            expect(std::string(error.what()).find(error.hint()) != std::string::npos, line);
        };
        const Policy named_only{
            .files = {.tree = Tree::named_only, .read_only = {"/usr/lib", "/lib", "/lib64"}}};
        expect_hint({}, {.program = program}, program);  // the private tmp
        expect_hint({.files = {.hidden = {program}, .private_tmp = false}}, {.program = program},
                    program);
        expect_hint({.files = {.hidden = {directory}, .private_tmp = false}}, {.program = program},
                    program);
        expect_hint(named_only, {.program = "/usr/bin/env"}, "/usr/bin/env");
        expect_hint(named_only,
                    {.program = "env", .environment = Environment().set("PATH", "/usr/bin")},
                    "/usr/bin/env");
        expect_hint({}, {.program = "true", .working_directory = directory}, directory);
    });
}
