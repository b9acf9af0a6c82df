#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "descendants.hpp"
#include "support/cgroup.hpp"
#include "support/pipe.hpp"
#include "support/sandboxed.hpp"

// docs/what-fails-elsewhere.md: the end of a launch is the end of all its processes, whoever ends it.

using namespace std::chrono_literals;
using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

constexpr auto for_ever = 1h;  // far beyond the watchdog

// A policy with which nothing but Landlock and the launcher itself can end a process.
Policy held_by_landlock() {
    return {.accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes}};
}

// How a run ends that takes too long. It is given more time until the program has come to write all it has.
RunResult result_out_of_time(const SyncedSpawner& spawner, const std::string& last_words,
                             std::chrono::nanoseconds drain) {
    for (auto within = 250ms;; within *= 2) {
        SpawnError error;
        RunResult result = run(spawner, {.within = within, .drain = drain}, error);
        if (!error && result.output.ends_with(last_words)) {
            return result;
        }
        expect(!error || error.cause() == Cause::timed_out);
    }
}

// Linux 6.9.
bool can_signal_groups() {
    constexpr unsigned to_process_group = 1U << 2U;
    const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    return syscall(SYS_pidfd_send_signal, self.get(), 0, nullptr, to_process_group) == 0 ||
           errno != EINVAL;
}

bool comes_to_have_ended(pid_t pid) {
    return comes_true([pid] { return state_of(pid) == '\0' || state_of(pid) == 'Z'; });
}

}  // namespace

TEST_CASE("when a command is out of time, nobody holds its output any more, and that is whole") {
    as_everybody([] {
        const SyncedSpawner spawner = spawner_of(
            leaves_six_behind + "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end; sleep 1000",
            planned({}));
        const RunResult result = result_out_of_time(spawner, "\nend\n", for_ever);
        expect(result.is_late());
        expect(result.status == ExitStatus::killed(SIGKILL));
        // Else the run would still wait for the end of the stream.
        expect(!result.is_held_open);
        expect(result.output.size() == 300000 + std::string("\nend\n").size());
        expect(count_children() == 0);
    });
}

TEST_CASE("setsid and a double fork do not escape from the end of the program") {
    as_everybody([] {
        const SyncedSpawner spawner =
            spawner_of(leaves_six_behind + "echo up; read line", planned({}));
        SpawnOptions options = spawner.options();
        options.streams.input = Stdio::pipe();
        Process process = spawner.with(options).spawn();
        std::string up(3, ' ');
        expect(read(process.standard_output(), up.data(), up.size()) == 3 && up == "up\n");
        // The program is one of those below the reaper.
        expect(comes_true([&] { return Descendants(process.pid()).count() == left_behind + 1; }));
        const Descendants inside(process.pid());
        expect(write(process.standard_input(), "\n", 1) == 1);
        expect(process.wait().success());
        expect(inside.end());
        expect(read_all(process.standard_output()).empty());
    });
}

TEST_CASE("without a pid namespace a cgroup ends them") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    Peer peer([&] {
        SyncedSpawner spawner(shell(leaves_six_behind + "echo up; exec sleep 1000"));
        spawner.step(sandbox::cgroup({}, {.parent = cgroup.path()}));
        planned({.processes = {.isolated = false}}).add_to(spawner);
        Pipe pipe;
        Process process = pipe.written_by(spawner).spawn();
        expect(pipe.line() == "up");
        process.kill();
        expect(process.after_end_failures().empty());
        expect(pipe.rest().empty());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
    CHECK(cgroup.becomes_empty());
}

TEST_CASE(
    "without either, what leaves the process group outlives the launch, and the report says so") {
    const Machine machine = without_namespaces();
    if (!machine.landlock) {
        SKIP_TEST("this kernel has no Landlock");
    }
    as_everybody([&] {
        const Sandbox sandbox(held_by_landlock(), machine);
        const std::string gap = "those that leave the process group outlive the launch";
        expect(sandbox.explain().to_string().find(gap) != std::string::npos);
        const std::string leaves_two_behind =
            "exec 3>&1; away=$(setsid sh -c 'sleep 1000 >&3 & echo $!')\n"
            "sleep 1000 & echo $away $!\n";
        const auto check = [](const std::string& output) {
            pid_t away = 0;
            pid_t in_group = 0;
            std::istringstream(output) >> away >> in_group;
            expect(comes_to_have_ended(in_group));
            expect(kill(away, SIGKILL) == 0);
            expect(comes_to_have_ended(away));
        };
        const RunResult late =
            result_out_of_time(spawner_of(leaves_two_behind + "sleep 1000", sandbox), "\n", 1ms);
        // The run ends all the same.
        expect(late.is_late() && late.is_held_open);
        check(late.output);
        const RunResult done = run(spawner_of(leaves_two_behind, sandbox), {.drain = 1ms});
        expect(done.success() && done.is_held_open);
        check(done.output);
        if (!can_signal_groups()) {
            leave_out_here("the end of a group that wait() sees takes Linux 6.9");
        }
        Process process = spawner_of(leaves_two_behind, sandbox).spawn();
        const std::string line = next_line(process.standard_output());
        expect(process.wait().success());
        expect(process.after_end_failures().empty());
        check(line);
    });
}

TEST_CASE("a launcher that is killed takes all of the sandbox with it") {
    as_everybody([] {
        Pipe pipe;
        Peer launcher([&] {
            const Process process =
                pipe.written_by(spawner_of(leaves_six_behind + "echo up; sleep 1000", planned({})))
                    .spawn();
            pause();
        });
        expect(pipe.line() == "up");
        // The reaper, the program, and its sleep.
        expect(comes_true([&] { return Descendants(launcher.pid()).count() == left_behind + 3; }));
        const Descendants all(launcher.pid());
        launcher.send(SIGKILL);
        expect(all.end());
        expect(pipe.rest().empty());
    });
}

TEST_CASE("a launcher that is killed at any step of the setup leaves nobody, and nothing runs") {
    as_everybody([] {
        const Sandbox sandbox = planned({.network = Network::loopback});
        const std::vector<Step> steps = sandbox.steps();
        for (std::size_t killed_at = 0; killed_at <= steps.size(); ++killed_at) {
            Pipe pipe;
            Peer launcher([&] {
                SyncedSpawner spawner(sandbox.options_for(shell("echo it ran")));
                for (std::size_t number = 0; number <= steps.size(); ++number) {
                    if (number == killed_at) {
                        // The child has the pipe until it executes the program, and that has it, too.
                        spawner.step({.name = "killed",
                                      .child = shared_memory([](ChildSide&) {}),
                                      .parent = [](ParentSide&) { raise(SIGKILL); },
                                      .order = StepOrder::child_first,
                                      .descriptors = {pipe.write_end()}});
                    }
                    if (number < steps.size()) {
                        spawner.step(steps[number]);
                    }
                }
                (void)pipe.written_by(spawner).spawn();
            });
            expect(pipe.rest().empty());
            expect_same(launcher.ending().c_str(), "killed by SIGKILL");
        }
    });
}

TEST_CASE("there are no zombies inside, though the program reaps nothing") {
    as_everybody([] {
        // If nobody reaped them, this would not end.
        expect_outcome(
            "i=0; while [ $i -lt 50 ]; do (: &); i=$((i+1)); done\n"
            "while grep -qs '^State:.Z' /proc/[0-9]*/status; do :; done; echo none",
            {}, "none\n");
    });
}

TEST_CASE("what the program leaves running ends with it, or outlives it if that is asked for") {
    as_everybody([] {
        for (const bool outlives : {false, true}) {
            int gate[2];
            expect(pipe2(gate, O_CLOEXEC) == 0);
            const UniqueFd read_end(gate[0]);
            UniqueFd write_end(gate[1]);
            const SyncedSpawner spawner = spawner_of("{ read line <&5; echo last; } & exit 5",
                                                     planned({.processes = {.outlive = outlives}}));
            SpawnOptions options = spawner.options();
            options.descriptors.passed = {{gate[0], 5}};
            Process process = spawner.with(options).spawn();
            if (outlives) {
                expect(comes_true([&] { return children_of(process.pid()).size() == 1; }));
                expect(!process.try_wait());
                write_end.reset();
            }
            expect(read_all(process.standard_output()) == (outlives ? "last\n" : ""));
            expect(process.wait() == ExitStatus::exited(5));
        }
    });
}
