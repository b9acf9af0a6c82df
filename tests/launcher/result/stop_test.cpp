#include <syncspawn/launcher/process.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>

#include <csignal>
#include <stdexcept>
#include <string>

#include "support/launched.hpp"
#include "support/observe.hpp"

// How a program is stopped: what each action does, and what the next finds.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SpawnOptions sleeper() { return {.program = "sleep", .arguments = {"1000"}}; }

// Returns once the script has printed its first line.
Process spawn_script(const std::string& text, KillScope scope = KillScope::process) {
    SpawnOptions options = shell(text);
    options.streams.output = Stdio::pipe();
    options.ending.scope = scope;
    Process process = SyncedSpawner(options).spawn();
    for (char letter = 0; letter != '\n';) {
        REQUIRE(read(process.standard_output(), &letter, 1) == 1);
    }
    return process;
}

}  // namespace

TEST_CASE("stop actions are carried out in order until the program has ended") {
    Process process = spawn_script(
        "trap 'echo int' INT; trap 'echo term; exit 3' TERM; echo; while :; do sleep 0.01; done");
    const auto status = process.stop(
        {Stop::signal(SIGINT, 1ms), Stop::terminate(1h), Stop::signal(SIGHUP, 1h), Stop::kill()});
    CHECK(status == ExitStatus::exited(3));
    // A shell that finds both at once goes by their numbers.
    CHECK(read_all(process.standard_output()) == "int\nterm\n");
}

TEST_CASE("a program that outlives the last stop action runs on") {
    Process process = spawn_script("trap '' TERM; echo; exec sleep 1000");
    CHECK_FALSE(process.stop({}));
    CHECK_FALSE(process.stop({Stop::wait(1ms)}));
    CHECK_FALSE(process.stop({Stop::terminate(1ms)}));
    CHECK_FALSE(process.stop({Stop::terminate(0ns), Stop::wait(1ms)}));
    CHECK_FALSE(process.try_wait());
    CHECK(process.stop({Stop::signal(SIGKILL, 1h)}) == ExitStatus::killed(SIGKILL));
}

TEST_CASE("a program may be given time to end by itself") {
    CHECK(SyncedSpawner(shell("exit 5")).spawn().stop({Stop::wait()}) == ExitStatus::exited(5));
    CHECK(SyncedSpawner(shell("exit 5")).spawn().stop({Stop::wait(1h), Stop::kill()}) ==
          ExitStatus::exited(5));
    CHECK(SyncedSpawner(sleeper()).spawn().stop({Stop::wait(1ms), Stop::kill()}) ==
          ExitStatus::killed(SIGKILL));
}

TEST_CASE("a program that has ended is not asked again, and keeps its status") {
    Process process = SyncedSpawner(shell("exit 5")).spawn();
    CHECK(process.wait() == ExitStatus::exited(5));
    CHECK(process.stop({}) == ExitStatus::exited(5));
    CHECK(process.stop({Stop::terminate(1h), Stop::kill()}) == ExitStatus::exited(5));
}

TEST_CASE("an empty list tells the status of a program that has ended, and reaps it") {
    Process process = SyncedSpawner(shell("exit 5")).spawn();
    REQUIRE(comes_to_state(process.pid(), 'Z'));
    CHECK(process.stop({}) == ExitStatus::exited(5));
    CHECK(waitpid(process.pid(), nullptr, WNOHANG) < 0);
}

TEST_CASE("the signal of a stop action wakes a program that is stopped") {
    Process process = SyncedSpawner(sleeper()).spawn();
    process.signal(SIGSTOP);
    REQUIRE(comes_to_state(process.pid(), 'T'));
    CHECK(process.stop({Stop::signal(SIGUSR1, 1h)}) == ExitStatus::killed(SIGUSR1));
}

TEST_CASE(
    "what a program that obeyed leaves of its process group is killed, if anything is to be") {
    Process process =
        spawn_script("trap 'exit 3' TERM; (trap '' TERM; echo; exec sleep 1000) & wait",
                     KillScope::process_group);
    CHECK(process.stop({Stop::terminate(1h), Stop::wait(1h), Stop::kill()}) ==
          ExitStatus::exited(3));
    CHECK(read_all(process.standard_output()) == "");
}

TEST_CASE("a stop action that can never be carried out is misuse, and none is") {
    Process process = SyncedSpawner(sleeper()).spawn();
    CHECK_THROWS_WITH_AS(process.stop({Stop::kill(), Stop::signal(1000, 1h)}),
                         "syncspawn: there is no signal 1000", std::invalid_argument);
    CHECK_THROWS_WITH_AS(process.stop({Stop::kill(), Stop::wait(-1ns)}),
                         "syncspawn: a duration must not be negative", std::invalid_argument);
    CHECK_FALSE(process.try_wait());
    CHECK_THROWS_AS(Process().stop({}), std::logic_error);
}
