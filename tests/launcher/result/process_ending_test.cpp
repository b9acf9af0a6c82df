#include <syncspawn/launcher/process.hpp>

#include <doctest/doctest.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/skip.hpp"

// The end of programs that do not end for the asking.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SpawnOptions sleeper() { return {.program = "sleep", .arguments = {"1000"}}; }

// Ends only when its standard input does.
SpawnOptions until_end_of_input(StopActions stop = {Stop::kill()}) {
    SpawnOptions options{.program = "cat", .ending = {.stop = std::move(stop)}};
    options.streams.input = Stdio::pipe();
    return options;
}

template <class Call>
int error_of(Call call) {
    try {
        call();
    } catch (const std::system_error& error) {
        expect(std::string(error.what()).starts_with("syncspawn::Process: cannot "));
        return error.code().value();
    }
    return 0;
}

void expect_to_be_out_of_reach(Process& program) {
    expect_same(error_of([&] { program.signal(SIGUSR1); }), EPERM);
    std::error_code error;
    program.signal(SIGUSR1, error);
    expect(error == std::errc::operation_not_permitted);
    // Each would wait for ever, or for an hour.
    expect_same(error_of([&] { program.kill(); }), EPERM);
    expect_same(error_of([&] { program.terminate(1h); }), EPERM);
    expect_same(error_of([&] {
                    program.stop({Stop::signal(SIGINT, 1h), Stop::wait(0ns)});
                }),
                EPERM);
    expect(!program.try_wait());
    program.take_standard_input().reset();
    expect(program.wait().success());
    expect(program.kill().success());
    program.signal(SIGUSR1, error);
    expect(!error);
}

// No process if this machine forbids new namespaces.
Process spawn_in_pid_namespace(SpawnOptions options) {
    options.birth.namespaces = Namespaces::pid;
    SpawnError error;
    Process process = SyncedSpawner(options).spawn(error);
    if (error && error.code() != std::errc::operation_not_permitted) {
        throw SpawnError(error);
    }
    return process;
}

void await_line(Process& process) {
    char byte = 0;
    REQUIRE(read(process.standard_output(), &byte, 1) == 1);
}

constexpr const char* no_namespaces = "this machine forbids new namespaces";

}  // namespace

TEST_CASE("a program that may not be signalled is not waited for, and its owner is told") {
    Peer peer([] {
        Process program = SyncedSpawner(until_end_of_input()).spawn();
        refuse_system_calls({SYS_kill, SYS_pidfd_send_signal}, EPERM);
        expect_to_be_out_of_reach(program);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a program of another user is not waited for, and its owner is told") {
    Peer peer([] {
        if (geteuid() != 0) {
            leave_out_here("only root can become another user");
        }
        Process program = SyncedSpawner(until_end_of_input()).spawn();
        constexpr uid_t nobody = 65534;
        expect(setresuid(nobody, nobody, nobody) == 0);
        expect_to_be_out_of_reach(program);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("the destructor leaves a program alone that may not be signalled") {
    for (const StopActions& stop : {StopActions{Stop::kill()},
                                    {Stop::terminate(1h), Stop::kill()},
                                    {Stop::signal(SIGINT, 1h)}}) {
        Peer peer([stop] {
            std::optional<Process> program = SyncedSpawner(until_end_of_input(stop)).spawn();
            const pid_t pid = program->pid();
            UniqueFd input = program->take_standard_input();
            refuse_system_calls({SYS_kill, SYS_pidfd_send_signal}, EPERM);
            program.reset();
            int status = 0;
            expect(waitpid(pid, &status, WNOHANG) == 0);
            input.reset();
            expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

// The program says neither that it is ready nor that it ends, so the deadline may be short.
TEST_CASE("a launch fails, and says so, whose program is not ready and may not be killed") {
    Peer peer([] {
        refuse_system_calls({SYS_kill, SYS_pidfd_send_signal}, EPERM);
        int ends[2];
        expect(pipe(ends) == 0);
        UniqueFd input(ends[0]);
        UniqueFd held_open(ends[1]);
        SpawnOptions options{.program = "cat", .setup = {.abort_grace = 0ns}};
        options.streams.input = Stdio::descriptor(input.get());
        options.readiness.within = 1ms;
        const SpawnError error = failure_of(options);
        expect(error.cause() == Cause::timed_out && error.program_may_have_run());
        expect(std::string(error.what())
                   .find(" could not be killed: this process may not signal it") !=
               std::string::npos);
        held_open.reset();
        int status = 0;
        expect(wait(&status) > 0 && WIFEXITED(status));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a signal that does not exist is an error") {
    Process program = SyncedSpawner(sleeper()).spawn();
    CHECK_THROWS_AS(program.signal(1000), std::system_error);
    std::error_code error;
    program.signal(1000, error);
    CHECK(error == std::errc::invalid_argument);
    program.signal(0, error);
    CHECK_FALSE(error);
}

TEST_CASE("a signal to a program that has ended and was not reaped is no error") {
    Process program = SyncedSpawner({.program = "true"}).spawn();
    REQUIRE(comes_to_state(program.pid(), 'Z'));
    program.signal(SIGTERM);
    CHECK(program.kill().success());
}

TEST_CASE("terminate ends a program that is stopped without waiting for the grace") {
    for (const KillScope scope : {KillScope::process, KillScope::process_group}) {
        SpawnOptions options = sleeper();
        options.ending.scope = scope;
        Process program = SyncedSpawner(options).spawn();
        program.signal(SIGSTOP);
        REQUIRE(comes_to_state(program.pid(), 'T'));
        CHECK(program.terminate(1h) == ExitStatus::killed(SIGTERM));
    }
}

TEST_CASE("the first process of a pid namespace that does not handle SIGTERM is killed at once") {
    Process program = spawn_in_pid_namespace(sleeper());
    if (!program) {
        SKIP_TEST(no_namespaces);
    }
    std::string call;
    if (!(std::ifstream("/proc/" + std::to_string(program.pid()) + "/syscall") >> call)) {
        SKIP_TEST("/proc does not say which system call a program is in");
    }
    CHECK(program.terminate(1h) == ExitStatus::killed(SIGKILL));
}

// The shell itself hears nothing, and ends when its child does.
TEST_CASE("the rest of its group or session hears what the first of a pid namespace does not") {
    for (const KillScope scope : {KillScope::process_group, KillScope::session}) {
        SpawnOptions options = shell("sleep 1000 & echo; wait; exit 3");
        options.streams.output = Stdio::pipe();
        options.ending.scope = scope;
        Process program = spawn_in_pid_namespace(options);
        if (!program) {
            SKIP_TEST(no_namespaces);
        }
        await_line(program);
        CHECK(program.terminate(1h) == ExitStatus::exited(3));
    }
}

// Nobody in it hears: only the end of the grace is left.
TEST_CASE("a group that does not hear SIGTERM is killed after the grace") {
    for (const KillScope scope : {KillScope::process_group, KillScope::session}) {
        SpawnOptions options = sleeper();
        options.ending.scope = scope;
        Process program = spawn_in_pid_namespace(options);
        if (!program) {
            SKIP_TEST(no_namespaces);
        }
        CHECK(program.terminate(1ms) == ExitStatus::killed(SIGKILL));
    }
}

TEST_CASE("the first process of a pid namespace that handles SIGTERM has the grace to do so") {
    SpawnOptions options = shell("trap 'exit 3' TERM; echo; while :; do sleep 0.01; done");
    options.streams.output = Stdio::pipe();
    Process program = spawn_in_pid_namespace(options);
    if (!program) {
        SKIP_TEST(no_namespaces);
    }
    await_line(program);
    CHECK(program.terminate(1h) == ExitStatus::exited(3));
}

TEST_CASE("a program that is asleep in sigwait(3) in its pid namespace has the grace, too") {
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/await_signal"};
    options.streams.output = Stdio::pipe();
    Process program = spawn_in_pid_namespace(options);
    if (!program) {
        SKIP_TEST(no_namespaces);
    }
    await_line(program);
    REQUIRE(sleeps_in(program.pid(), SYS_rt_sigtimedwait));
    CHECK(program.terminate(1h) == ExitStatus::exited(3));
}
