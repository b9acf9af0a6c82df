#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/reaper.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/terminal.hpp"

// Signals reach the program through the reaper: once, and whoever they are for.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string next_line(const Process& process) {
    std::string line;
    char byte = 0;
    while (read(process.standard_output(), &byte, 1) == 1 && byte != '\n') {
        line += byte;
    }
    return line;
}

constexpr KillScope scopes[] = {KillScope::process, KillScope::process_group, KillScope::session};

}  // namespace

TEST_CASE("SIGTERM ends a program that does nothing about it") {
    SKIP_WITHOUT_REAPERS();
    for (const KillScope scope : scopes) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft check;
            SpawnOptions options{.program = "sleep", .arguments = {"1000"}};
            options.ending.scope = scope;
            const SyncedSpawner spawner(with_reaper(std::move(options), method));
            Process process = spawner.spawn();
            process.signal(SIGTERM);
            CHECK(process.wait() == ExitStatus::killed(SIGTERM));
            CHECK(spawner.spawn().terminate(1h) == ExitStatus::killed(SIGTERM));
        }
    }
}

TEST_CASE("every signal reaches the program once, by whichever way it is sent") {
    SKIP_WITHOUT_REAPERS();
    const int signal = SIGRTMIN + 1;  // no two of these become one
    for (const KillScope scope : scopes) {
        for (const StartMethod method : start_methods()) {
            SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/tell_signals"};
            options.streams.output = Stdio::pipe();
            options.ending.scope = scope;
            Process process = SyncedSpawner(with_reaper(std::move(options), method)).spawn();
            CHECK(next_line(process) == "listens");
            const auto check_next = [&](int expected, const char* more = "") {
                CHECK(next_line(process) == std::to_string(expected) + more);
            };
            process.signal(signal);
            check_next(signal);
            process.signal(SIGCHLD);
            check_next(SIGCHLD);
            process.signal(SIGTERM);
            check_next(SIGTERM);
            CHECK_FALSE(process.stop({Stop::signal(signal, 0ns)}));  // to the scope
            // Of those that wait, the lowest comes first.
            const std::set<std::string> both{next_line(process), next_line(process)};
            CHECK(both == std::set{std::to_string(signal), std::to_string(SIGCONT)});
            // By somebody who knows nothing of the library.
            kill(process.pid(), signal);
            check_next(signal);
            sigqueue(process.pid(), signal, {.sival_int = 5});
            check_next(signal, " queued");
            kill(process.pid(), SIGCHLD);  // not passed on, as it is the reaper's own
            process.signal(SIGRTMAX);
            CHECK(read_all(process.standard_output()).empty());
            CHECK(process.wait() == ExitStatus::exited(3));
        }
    }
}

TEST_CASE("the group and the session are those of the first process, and its signals reach all") {
    SKIP_WITHOUT_REAPERS();
    for (const KillScope scope : {KillScope::process_group, KillScope::session}) {
        SpawnOptions options = shell("sleep 1000 & trap 'kill %1; exit 3' USR1; echo; wait");
        options.streams.output = Stdio::pipe();
        options.ending.scope = scope;
        Process process = SyncedSpawner(with_reaper(std::move(options))).spawn();
        next_line(process);
        const pid_t program = program_of(process.pid());
        CHECK(getpgid(program) == process.pid());
        CHECK((getsid(program) == process.pid()) == (scope == KillScope::session));
        CHECK(process.stop({Stop::terminate(1h)}) == ExitStatus::killed(SIGTERM));
    }
    SpawnOptions options{.program = "sleep", .arguments = {"1000"}};
    const Process process = SyncedSpawner(with_reaper(std::move(options))).spawn();
    CHECK(getpgid(program_of(process.pid())) == getpgrp());
    CHECK(comes_true([&] { return getpgid(process.pid()) == process.pid(); }));
}

TEST_CASE("the program stops and goes on, by SIGSTOP as by SIGTSTP") {
    SKIP_WITHOUT_REAPERS();
    for (const int stop : {SIGSTOP, SIGTSTP}) {
        SpawnOptions options{.program = "sleep", .arguments = {"1000"}};
        options.ending.scope = KillScope::process_group;
        Process process = SyncedSpawner(with_reaper(std::move(options))).spawn();
        const pid_t program = program_of(process.pid());
        process.signal(stop);
        CHECK(comes_to_state(program, 'T'));
        process.signal(SIGCONT);
        CHECK(comes_to_state(program, 'S'));
        process.signal(stop);
        CHECK(comes_to_state(program, 'T'));
        CHECK(process.terminate(1h) == ExitStatus::killed(SIGTERM));  // which wakes it
    }
}

TEST_CASE("a signal is not lost because another one was sent right before it") {
    SKIP_WITHOUT_REAPERS();
    SpawnOptions options = shell("trap '' TSTP; echo; exec sleep 1000");
    options.streams.output = Stdio::pipe();
    Process process = SyncedSpawner(with_reaper(std::move(options))).spawn();
    next_line(process);
    const pid_t program = program_of(process.pid());
    for (int round = 0; round < 20; ++round) {
        process.signal(SIGTSTP);  // which it ignores
        process.signal(SIGSTOP);
        CHECK(comes_to_state(program, 'T'));
        process.signal(SIGCONT);
        CHECK(comes_to_state(program, 'S'));
    }
}

TEST_CASE("a program that handles SIGTERM has its grace, and one that does not heed it is killed") {
    SKIP_WITHOUT_REAPERS();
    SpawnOptions heeds = shell("trap 'exit 3' TERM; echo; read line");
    heeds.streams = {.input = Stdio::pipe(), .output = Stdio::pipe()};
    Process process = SyncedSpawner(with_reaper(std::move(heeds))).spawn();
    next_line(process);
    CHECK(process.terminate(1h) == ExitStatus::exited(3));

    SpawnOptions deaf = shell("trap '' TERM; echo; read line");
    deaf.streams = {.input = Stdio::pipe(), .output = Stdio::pipe()};
    process = SyncedSpawner(with_reaper(std::move(deaf))).spawn();
    next_line(process);
    CHECK_FALSE(process.stop({Stop::terminate(1ms)}));
    CHECK(process.terminate(1ms) == ExitStatus::killed(SIGKILL));
}

TEST_CASE("a signal during the setup is the program's") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        SpawnOptions options{.program = "sleep", .arguments = {"1000"}};
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR1);
        options.signals.mask = blocked;
        SyncedSpawner spawner(with_reaper(std::move(options), method));
        spawner.step(
            {.name = "early", .parent = [](ParentSide& side) { kill(side.child_pid(), SIGUSR1); }});
        Process process = spawner.spawn();
        const std::string status = "/proc/" + std::to_string(program_of(process.pid())) + "/status";
        CHECK(value_in(status, "ShdPnd") == "0000000000000200");
    }
}

TEST_CASE("the program's own terminal has it in the foreground, and ^C reaches it once") {
    SKIP_WITHOUT_REAPERS();
    for (const KillScope scope : {KillScope::process, KillScope::session}) {
        for (const StartMethod method : start_methods()) {
            const Terminal terminal;
            SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/tell_signals"};
            options.streams.output = Stdio::pipe();
            options.ending.scope = scope;
            SyncedSpawner spawner(with_reaper(std::move(options), method));
            spawner.step(steps::controlling_terminal(terminal.fd()));
            Process process = spawner.spawn();
            CHECK(next_line(process) == "listens");
            CHECK(terminal.session() == process.pid());
            CHECK(terminal.foreground() == getpgid(program_of(process.pid())));
            terminal.type("\x03");
            CHECK(next_line(process) == std::to_string(SIGINT));
            process.signal(SIGRTMAX);
            CHECK(read_all(process.standard_output()).empty());
            CHECK(process.wait() == ExitStatus::exited(3));
        }
    }
}

TEST_CASE("what comes from inside the namespace is not passed on") {
    SKIP_WITHOUT_REAPERS();
    SpawnOptions options = shell("kill -TERM 1; trap 'echo TERM' TERM; kill -TERM 0; echo end");
    options.ending.scope = KillScope::process_group;
    CHECK(output_of(with_reaper(std::move(options))) == "TERM\nend\n");
}

TEST_CASE("SIGKILL is no order: it ends the whole namespace") {
    SKIP_WITHOUT_REAPERS();
    for (const KillScope scope : scopes) {
        SpawnOptions options = shell("setsid sleep 1000 & echo; wait");
        options.streams.output = Stdio::pipe();
        options.ending.scope = scope;
        Process process = SyncedSpawner(with_reaper(std::move(options))).spawn();
        next_line(process);
        CHECK(process.kill() == ExitStatus::killed(SIGKILL));
        CHECK(read_all(process.standard_output()).empty());
    }
}
