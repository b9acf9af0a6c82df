#include <doctest/doctest.h>
#include <poll.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <syncspawn/launcher/run.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"

// Many runs at once.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

constexpr int many = 50;

// Writes more than a pipe holds to both.
SpawnOptions number(int index) {
    return shell("echo " + std::to_string(index) +
                 "; head -c 200000 /dev/zero; head -c 100000 /dev/zero >&2");
}

bool is_of(const RunResult& result, int index) {
    const std::string first = std::to_string(index) + "\n";
    return result.success() && result.output.starts_with(first) &&
           result.output.size() == first.size() + 200'000 && result.error.size() == 100'000;
}

}  // namespace

TEST_CASE("fifty runs in one poll loop") {
    const NothingIsLeft nothing_is_left;
    std::vector<Run> runs;
    for (int index = 0; index < many; ++index) {
        runs.emplace_back(SyncedSpawner(number(index)), RunOptions{.within = 1h});
    }
    std::vector<bool> is_over(many);
    for (int left = many; left > 0;) {
        std::vector<pollfd> loop;
        for (std::size_t index = 0; index < many; ++index) {
            if (!is_over[index] && runs[index].advance()) {
                is_over[index] = true;
                --left;
            }
            loop.push_back({runs[index].descriptor(), POLLIN, 0});
        }
        if (left > 0) {
            REQUIRE(poll(loop.data(), loop.size(), -1) > 0);
        }
    }
    for (int index = 0; index < many; ++index) {
        CHECK(is_of(runs[static_cast<std::size_t>(index)].take_result(), index));
    }
}

TEST_CASE("fifty runs, each in its own thread") {
    const NothingIsLeft nothing_is_left;
    std::vector<RunResult> results(many);
    {
        std::vector<std::jthread> threads;
        threads.reserve(many);
        for (int index = 0; index < many; ++index) {
            threads.emplace_back([&results, index] {
                results[static_cast<std::size_t>(index)] = run(number(index), {.within = 1h});
            });
        }
    }
    for (int index = 0; index < many; ++index) {
        CHECK(is_of(results[static_cast<std::size_t>(index)], index));
    }
}

TEST_CASE("one spawner may be run by many, and keeps its own options") {
    const NothingIsLeft nothing_is_left;
    int begun = 0;
    SyncedSpawner spawner(shell("echo hello"));
    spawner.step({.name = "count", .parent = [&](ParentSide&) { ++begun; }});
    const Run copy(spawner);
    CHECK(run(spawner).output == "hello\n");
    CHECK(run_pipeline({spawner, SyncedSpawner({.program = "cat"})}).output == "hello\n");
    CHECK(begun == 2);
    CHECK(spawner.options().streams.output.kind() == Stdio::Kind::inherit);
}

TEST_CASE("a spawner with other options has the same steps, which must bear them") {
    const NothingIsLeft nothing_is_left;
    int begun = 0;
    SyncedSpawner spawner({.program = "false"});
    spawner.step({.name = "count", .parent = [&](ParentSide&) { ++begun; }});
    CHECK(spawner.with({.program = "true"}).spawn().wait().success());
    CHECK(begun == 1);
    CHECK(spawner.options().program == "false");
    spawner.step({.name = "x", .child = after_fork([](ChildSide&) {})});
    CHECK_THROWS_AS(
        (void)spawner.with({.program = "true", .birth = {.method = StartMethod::shared_memory}}),
        std::invalid_argument);
    CHECK_THROWS_AS((void)spawner.with({.program = ""}), std::invalid_argument);
}

TEST_CASE("a launch may have a deadline for all of it") {
    const NothingIsLeft nothing_is_left;
    const SyncedSpawner spawner({.program = "sleep",
                                 .arguments = {"1000"},
                                 .setup = {.abort_grace = 0ns},
                                 .readiness = {.within = 1h}});
    SpawnError error;
    (void)spawner.spawn(std::chrono::steady_clock::now() + 20ms, error);
    CHECK(error.cause() == Cause::timed_out);
    (void)spawner.spawn(Deadline(), error);
    CHECK(error.cause() == Cause::timed_out);
    CHECK_FALSE(error.program_may_have_run());
    CHECK(SyncedSpawner({.program = "true"}).spawn(Deadline::max(), error).wait().success());
}

TEST_CASE("the descriptor of a run tells of all that there is to do") {
    const NothingIsLeft nothing_is_left;
    Run run(SyncedSpawner(shell("sleep 0.05; echo one; sleep 0.05; echo two >&2")));
    int rounds = 0;
    while (!run.advance()) {
        pollfd loop{run.descriptor(), POLLIN, 0};
        REQUIRE(poll(&loop, 1, -1) == 1);
        ++rounds;
    }
    CHECK(run.descriptor() == -1);
    CHECK(run.take_result().output == "one\n");
    CHECK(rounds < 1000);  // it is not readable all the time
}

TEST_CASE("in a loop each program may be asked about once it runs, by the thread of the loop") {
    const NothingIsLeft nothing_is_left;
    std::thread::id caller;
    std::string name;
    Run run(SyncedSpawner({.program = "cat"}), {.input =
                                                    [&] {
                                                        CHECK(name == "cat");
                                                        return std::string();
                                                    },
                                                .launched =
                                                    [&](const Process& process) {
                                                        caller = std::this_thread::get_id();
                                                        name = name_of(process);
                                                    }});
    while (!run.advance()) {
        pollfd loop{run.descriptor(), POLLIN, 0};
        REQUIRE(poll(&loop, 1, -1) == 1);
    }
    CHECK(run.take_result().success());
    CHECK(caller == std::this_thread::get_id());
    CHECK(name == "cat");
}

TEST_CASE("a run that is cancelled before it runs tells of no launch") {
    const NothingIsLeft nothing_is_left;
    int calls = 0;
    Run run(SyncedSpawner({.program = "sleep", .arguments = {"1000"}}),
            {.launched = [&](const Process&) { ++calls; }});
    run.cancel();
    while (!run.advance()) {
        pollfd loop{run.descriptor(), POLLIN, 0};
        REQUIRE(poll(&loop, 1, -1) == 1);
    }
    SpawnError error;
    (void)run.take_result(error);
    CHECK(error.cause() == Cause::cancelled);
    CHECK(calls == 0);
}
