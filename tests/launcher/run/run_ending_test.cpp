#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>

#include <syncspawn/launcher/run.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/peer.hpp"

// What ends a run, and what is left of it.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SpawnOptions script(std::string text, KillScope scope = KillScope::process) {
    SpawnOptions options = shell(std::move(text));
    options.ending.scope = scope;
    return options;
}

// The number that is the last line of the text.
pid_t last_pid_in(std::string text) {
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return std::stoi(text.substr(text.rfind('\n') + 1));
}

// A process that is not our child ends as soon as the kernel has buried it.
bool comes_to_an_end(pid_t pid) {
    while (kill(pid, 0) == 0 && state_of(pid) != 'Z') {
        usleep(1000);
    }
    return true;
}

// Until the text has come: from then on, it is readable.
Capture signals_when_written(int event) {
    return {.receive = [event](std::string_view) { eventfd_write(event, 1); }};
}

// The program may have written before its launch was seen to be over.
bool was_cancelled(Run& run) {
    SpawnError error;
    const RunResult result = run.take_result(error);
    return result.end == RunEnd::cancelled || error.cause() == Cause::cancelled;
}

void finish(Run& run) {
    while (!run.advance()) {
        pollfd loop{run.descriptor(), POLLIN, 0};
        REQUIRE(poll(&loop, 1, -1) == 1);
    }
}

UniqueFd make_event() { return UniqueFd(eventfd(0, EFD_CLOEXEC)); }

}  // namespace

TEST_CASE("a run that takes too long is ended, and what it wrote is there") {
    const NothingIsLeft nothing_is_left;
    // However slow the machine: a launch that was not done in time is tried again with more.
    for (auto within = 50ms;; within *= 2) {
        SpawnError error;
        const RunResult result =
            run(script("echo early; exec sleep 1000"), {.within = within}, error);
        if (error || result.output.empty()) {
            continue;
        }
        CHECK(result.is_late());
        CHECK(result.end == RunEnd::time_limit);
        CHECK(result.status == ExitStatus::killed(SIGKILL));
        CHECK(result.output == "early\n");
        CHECK_FALSE(result.success());
        break;
    }
}

TEST_CASE("a launch that takes longer than the run may fails as timed out") {
    const NothingIsLeft nothing_is_left;
    SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
                         .arguments = {"sleeps"},
                         .setup = {.abort_grace = 0ns},
                         .readiness = {.within = 1h}};
    SpawnError error;
    (void)run(options, {.within = 50ms}, error);
    CHECK(error.cause() == Cause::timed_out);
    CHECK(std::string(error.what()).find("in time") != std::string::npos);
    (void)run(options, {.within = 0ns}, error);
    CHECK(error.cause() == Cause::timed_out);
}

TEST_CASE("a program that fails before it is ready has said why, wherever its errors go") {
    const NothingIsLeft nothing_is_left;
    SpawnOptions options = script("head -c 100000 /dev/zero; echo 'no port is free' >&2; exit 3");
    options.readiness.within = 60s;
    SpawnError error;
    (void)run(options, {.error = {.limit = 0}}, error);
    CHECK(error.cause() == Cause::exited);
    CHECK(error.last_words() == "no port is free\n");
    options.streams.error = Stdio::same_as_output();
    (void)run(options, {.output = {.limit = 10}}, error);
    CHECK(error.last_words().ends_with("no port is free\n"));
}

TEST_CASE("a late program is asked first, if so wished, and then killed") {
    const NothingIsLeft nothing_is_left;
    const UniqueFd event = make_event();
    // Both are told to end once they have written, not by the clock.
    SpawnOptions asked =
        script("trap 'echo asked; exit 4' TERM; echo; while :; do sleep 0.01; done");
    asked.setup.cancel_when_readable = event.get();
    const RunResult obedient =
        run(asked, {.stop = {Stop::terminate(1h)}, .output = signals_when_written(event.get())});
    CHECK(obedient.end == RunEnd::cancelled);
    CHECK(obedient.status == ExitStatus::exited(4));
    CHECK(obedient.output == "\nasked\n");

    const UniqueFd other = make_event();
    SpawnOptions deaf = script("trap '' TERM; echo; while :; do sleep 0.01; done");
    deaf.setup.cancel_when_readable = other.get();
    const RunResult stubborn =
        run(deaf, {.stop = {Stop::terminate(1ms)}, .output = signals_when_written(other.get())});
    CHECK(stubborn.status == ExitStatus::killed(SIGKILL));
}

TEST_CASE("a program that writes too much is ended, if that is wanted") {
    const NothingIsLeft nothing_is_left;
    const RunResult result =
        run({.program = "yes"}, {.output = {.limit = 100, .when_full = Capture::WhenFull::stop}});
    CHECK(result.end == RunEnd::output_limit);
    CHECK(result.status == ExitStatus::killed(SIGKILL));
    CHECK(result.output.size() == 100);
    CHECK(result.output_dropped > 0);
    const RunResult small = run({.program = "echo", .arguments = {"-n", "1234"}},
                                {.output = {.limit = 4, .when_full = Capture::WhenFull::stop}});
    CHECK(small.success());
}

TEST_CASE("a run that is cancelled before or in its launch has a launch that was cancelled") {
    const NothingIsLeft nothing_is_left;
    const UniqueFd event = make_event();
    eventfd_write(event.get(), 1);
    SpawnOptions options = script("exec sleep 1000");
    options.setup.cancel_when_readable = event.get();
    SpawnError error;
    (void)run(options, {}, error);
    CHECK(error.cause() == Cause::cancelled);

    Run unbegun(SyncedSpawner({.program = "true"}));
    unbegun.cancel();
    while (!unbegun.advance()) {
    }
    (void)unbegun.take_result(error);
    CHECK(error.cause() == Cause::cancelled);
    CHECK_FALSE(unbegun);
}

TEST_CASE(
    "a program that runs when the run is cancelled is asked to end, even if nobody has looked "
    "since") {
    const NothingIsLeft nothing_is_left;
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    const UniqueFd tells(told[0]);
    const UniqueFd told_in(told[1]);
    SpawnOptions asked = script("trap 'exit 4' TERM; echo >&2; while :; do sleep 0.01; done");
    asked.streams.error = Stdio::descriptor(told_in.get());
    Run run(SyncedSpawner(asked), {.stop = {Stop::terminate(1h)}});
    char byte = 0;
    REQUIRE_FALSE(run.advance());
    REQUIRE(read(tells.get(), &byte, 1) == 1);
    run.cancel();
    finish(run);
    const RunResult result = run.take_result();
    CHECK(result.end == RunEnd::cancelled);
    CHECK(result.status == ExitStatus::exited(4));
}

TEST_CASE("a run that is cancelled does not wait for the end of a long drain") {
    const NothingIsLeft nothing_is_left;
    for (const bool is_by_descriptor : {false, true}) {
        const UniqueFd event = make_event();
        SpawnOptions options = script("sleep 1000 & echo $$", KillScope::process_group);
        options.setup.cancel_when_readable = event.get();
        std::string output;
        const auto keep = [&](std::string_view text) { output += text; };
        Run run(SyncedSpawner(options), {.output = {.receive = keep}, .drain = 1h});
        REQUIRE_FALSE(run.advance());
        while (!output.ends_with("\n")) {
            pollfd loop{run.descriptor(), POLLIN, 0};
            REQUIRE(poll(&loop, 1, -1) == 1);
            REQUIRE_FALSE(run.advance());
        }
        siginfo_t ended{};
        const auto pid = static_cast<id_t>(last_pid_in(output));
        REQUIRE(waitid(P_PID, pid, &ended, WEXITED | WNOWAIT) == 0);
        REQUIRE_FALSE(run.advance());  // the drain begins
        if (is_by_descriptor) {
            eventfd_write(event.get(), 1);
        } else {
            run.cancel();
        }
        finish(run);
        const RunResult result = run.take_result();
        CHECK(result.end == RunEnd::cancelled);
        CHECK(result.status.success());
        CHECK(result.is_held_open);
    }
}

TEST_CASE("a callback may cancel its own run, but not advance it") {
    const NothingIsLeft nothing_is_left;
    Run run;
    const auto cancel = [&](std::string_view) {
        CHECK_THROWS_AS(run.advance(), std::logic_error);
        run.cancel();
    };
    run = Run(SyncedSpawner(script("echo; exec sleep 1000")), {.output = {.receive = cancel}});
    finish(run);
    CHECK(was_cancelled(run));
}

TEST_CASE("a process that holds a stream open does not hold up the end") {
    const RunResult result = run(script("sleep 1000 & echo $!"), {.drain = 1ms});
    CHECK(result.success());
    CHECK(result.is_held_open);
    const pid_t sleeper = last_pid_in(result.output);
    CHECK(kill(sleeper, SIGKILL) == 0);  // it lives on: the scope is the process alone
    CHECK(comes_to_an_end(sleeper));
}

TEST_CASE("what the program leaves in its kill scope ends with the run") {
    const NothingIsLeft nothing_is_left;
    for (const KillScope scope : {KillScope::process_group, KillScope::session}) {
        const RunResult held = run(script("sleep 1000 & echo $!", scope), {.drain = 1ms});
        CHECK(held.success());
        CHECK(held.is_held_open);
        CHECK(comes_to_an_end(last_pid_in(held.output)));
        const RunResult silent = run(script("sleep 1000 >/dev/null 2>&1 & echo $!", scope));
        CHECK(silent.success());
        CHECK_FALSE(silent.is_held_open);
        CHECK(comes_to_an_end(last_pid_in(silent.output)));
    }
}

TEST_CASE("a process that writes after the program's end is read, while the drain lasts") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run(script("(read line; echo late) <&0 & exit 0"), {.drain = 1h});
    CHECK(result.output == "late\n");
    CHECK_FALSE(result.is_held_open);
}

TEST_CASE("a program that may not be killed is left behind") {
    Peer peer([] {
        refuse_system_calls({SYS_kill, SYS_pidfd_send_signal}, EPERM);
        SpawnOptions options = script("echo; exec sleep 1000");
        options.ending.die_with_parent = true;  // of which nobody else would be rid
        const UniqueFd event = make_event();
        options.setup.cancel_when_readable = event.get();
        const RunResult result =
            run(options,
                {.output = {.receive = [&](std::string_view) { eventfd_write(event.get(), 1); }}});
        expect(result.end == RunEnd::cancelled);
        expect(result.status == ExitStatus::unknown());
        expect(result.stages.at(0).survivor.has_value());
        expect(state_of(*result.stages.at(0).survivor) != 'Z');
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("without pidfds the ends are seen as well") {
    Peer peer([] {
        refuse_system_calls({SYS_pidfd_open}, ENOSYS);
        SpawnOptions options = shell("echo out; exit 3");
        options.birth.method = StartMethod::copied_memory;
        expect(run(options).status == ExitStatus::exited(3));
        Run run{SyncedSpawner(options)};
        while (!run.advance()) {
            pollfd loop{run.descriptor(), POLLIN, 0};
            expect(poll(&loop, 1, -1) == 1);
        }
        expect(run.take_result().output == "out\n");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a run that is dropped ends its program, without asking and without a call") {
    const NothingIsLeft nothing_is_left;
    pid_t program = -1;
    {
        Run run(SyncedSpawner(script("trap '' TERM; echo $$; exec sleep 1000")),
                {.stop = {Stop::terminate(1h)}, .output = {.receive = [&](std::string_view text) {
                                                    program = std::stoi(std::string(text));
                                                }}});
        while (program < 0) {
            REQUIRE_FALSE(run.advance());
        }
        CHECK(kill(program, 0) == 0);
    }
    CHECK(kill(program, 0) < 0);
    { Run never(SyncedSpawner({.program = "true"})); }
}

TEST_CASE("in a copy of this process a run is somebody else's") {
    const NothingIsLeft nothing_is_left;
    pid_t program = -1;
    Run run(SyncedSpawner(script("echo $$; exec sleep 1000")),
            {.output = {.receive = [&](std::string_view text) {
                 program = std::stoi(std::string(text));
             }}});
    while (program < 0) {
        REQUIRE_FALSE(run.advance());
    }
    Peer copy([&] {
        Run mine = std::move(run);
        const auto is_misuse = [](auto call) {
            try {
                call();
            } catch (const std::logic_error&) {
                return true;
            }
            return false;
        };
        expect(is_misuse([&] { mine.advance(); }));
        expect(is_misuse([&] { mine.cancel(); }));
        expect(is_misuse([&] { (void)mine.take_result(); }));
    });
    CHECK(copy.ending() == reached_the_end);
    run.cancel();
    while (!run.advance()) {
    }
    CHECK(was_cancelled(run));
}

TEST_CASE("an empty run is misuse, and so is a result before the end") {
    Run run;
    CHECK_FALSE(run);
    CHECK_THROWS_AS(run.advance(), std::logic_error);
    CHECK_THROWS_AS(run.cancel(), std::logic_error);
    run = Run(SyncedSpawner({.program = "true"}));
    CHECK(run);
    CHECK(run.descriptor() == -1);
    CHECK_THROWS_AS((void)run.take_result(), std::logic_error);
}
