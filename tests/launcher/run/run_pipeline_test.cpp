#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <syncspawn/launcher/run.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"

// Programs whose outputs are the next one's inputs.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

TEST_CASE("in a pipeline each program's output is the next one's input") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run_pipeline({{.program = "printf", .arguments = {"b\na\nb\n"}},
                                           {.program = "sort"},
                                           {.program = "uniq", .arguments = {"-c"}},
                                           {.program = "tr", .arguments = {"-d", " "}}});
    CHECK(result.success());
    CHECK(result.output == "1a\n2b\n");
    CHECK(result.stages.size() == 4);
}

TEST_CASE("a pipeline may be one program, or many, but not none") {
    const NothingIsLeft nothing_is_left;
    CHECK(run_pipeline(std::vector<SpawnOptions>{{.program = "echo"}}).output == "\n");
    std::vector<SpawnOptions> programs(30, {.program = "cat"});
    programs.front().streams.input = Stdio::text("through them all");
    CHECK(run_pipeline(programs).output == "through them all");
    CHECK_THROWS_AS((void)run_pipeline(std::vector<SpawnOptions>()), std::invalid_argument);
}

TEST_CASE("a program whose reader has had enough ends, and has not failed") {
    const NothingIsLeft nothing_is_left;
    const SyncedSpawner yes({.program = "yes", .signals = {.ignored = IgnoredSignals::reset}});
    const SyncedSpawner head({.program = "head", .arguments = {"-n1"}});
    const RunResult result = run_pipeline({yes, head});
    CHECK(result.output == "y\n");
    CHECK(result.success());
    CHECK(result.stages.at(0).status == ExitStatus::killed(SIGPIPE));
    CHECK(result.stages.at(1).status.success());
}

TEST_CASE("the status is that of the last program that failed") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run_pipeline({shell("exit 3"), shell("exit 4"), shell("exit 0")});
    CHECK(result.status == ExitStatus::exited(4));
    CHECK(result.stages.at(0).status == ExitStatus::exited(3));
    CHECK(result.stages.at(2).status.success());
    CHECK(run_pipeline({shell("exit 3"), shell("exit 4"), shell("exit 5")}).status ==
          ExitStatus::exited(5));
    CHECK(run_pipeline({shell("exit 0"), shell("kill -PIPE $$")}).status ==
          ExitStatus::killed(SIGPIPE));
}

TEST_CASE("each program has an error stream of its own, and the result all of them") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run_pipeline(
        {shell("echo one >&2"), shell("cat; echo two >&2"), shell("cat; echo three >&2")});
    CHECK(result.stages.at(0).error == "one\n");
    CHECK(result.stages.at(1).error == "two\n");
    CHECK(result.stages.at(2).error == "three\n");
    CHECK(result.error == "one\ntwo\nthree\n");
}

TEST_CASE("an error stream that is the same as the output goes down the pipe") {
    const NothingIsLeft nothing_is_left;
    SpawnOptions first = shell("echo out; echo err >&2");
    first.streams.error = Stdio::same_as_output();
    const RunResult result = run_pipeline({first, {.program = "cat", .arguments = {"-n"}}});
    CHECK(result.output == "     1\tout\n     2\terr\n");
    CHECK(result.error.empty());
}

TEST_CASE("much goes through a pipeline whose programs are slow to read") {
    const NothingIsLeft nothing_is_left;
    int left = 20;
    const RunResult result = run_pipeline(
        {{.program = "cat"}, shell("sleep 0.01; cat"), shell("cat; head -c 300000 /dev/zero >&2")},
        {.input = [&] { return left-- > 0 ? std::string(1'000'000, 'x') : std::string(); }});
    CHECK(result.success());
    CHECK(result.output.size() == 20'000'000);
    CHECK(result.error.size() == 300'000);
}

TEST_CASE("each program of a pipeline may be asked about, in their order") {
    const NothingIsLeft nothing_is_left;
    const std::vector<std::string> expected{"sleep", "cat", "tail"};
    for (const bool is_in_steps : {false, true}) {
        CAPTURE(is_in_steps);
        std::vector<SyncedSpawner> programs;
        for (const std::string& name : expected) {
            programs.emplace_back(SpawnOptions{.program = name});
        }
        programs.front() = SyncedSpawner({.program = "sleep", .arguments = {"1000"}});
        if (is_in_steps) {  // the first is the last that is launched
            programs.front().step(
                {.name = "behind", .after_execve = [&, asked = 0](ParentSide& side) mutable {
                     return ++asked < 3 ? side.wait_until(std::chrono::steady_clock::now())
                                        : side.done();
                 }});
        }
        std::vector<std::string> names;
        CHECK_THROWS_AS(
            (void)run_pipeline(programs, {.launched =
                                              [&](const Process& process) {
                                                  names.push_back(name_of(process));
                                                  if (names.size() == expected.size()) {
                                                      throw std::length_error("that is all");
                                                  }
                                              }}),
            std::length_error);
        CHECK(names == expected);
    }
}

TEST_CASE("what is thrown when the first program of a pipeline runs comes before the others run") {
    const NothingIsLeft nothing_is_left;
    int calls = 0;
    const auto refuse = [&](const Process&) {
        ++calls;
        throw std::runtime_error("not so");
    };
    CHECK_THROWS_WITH_AS(
        (void)run_pipeline({{.program = "sleep", .arguments = {"1000"}}, {.program = "/nowhere"}},
                           {.launched = refuse}),
        "not so", std::runtime_error);
    CHECK(calls == 1);
}

TEST_CASE("a launch that fails in the middle ends the others, and is the error") {
    const NothingIsLeft nothing_is_left;
    SpawnError error;
    const RunResult result = run_pipeline(
        {{.program = "yes"}, {.program = "/nowhere"}, {.program = "sleep", .arguments = {"1000"}}},
        {}, error);
    CHECK(std::string(error.what()) == "execve '/nowhere' in the child: no such file or directory");
    CHECK(result.stages.empty());
    CHECK_THROWS_AS((void)run_pipeline({{.program = "/nowhere"}, {.program = "cat"}}), SpawnError);
}

TEST_CASE("a pipeline that is late ends as a whole") {
    const NothingIsLeft nothing_is_left;
    for (auto within = 50ms;; within *= 2) {  // until the launches are done in time
        SpawnError error;
        const RunResult result =
            run_pipeline({{.program = "sleep", .arguments = {"1000"}}, {.program = "cat"}},
                         {.within = within}, error);
        if (error) {
            continue;
        }
        CHECK(result.is_late());
        CHECK(result.stages.at(0).status == ExitStatus::killed(SIGKILL));
        break;
    }
}

TEST_CASE("the streams between the programs of a pipeline are not for others") {
    const SpawnOptions cat{.program = "cat"};
    SpawnOptions with_input = cat;
    with_input.streams.input = Stdio::null();
    SpawnOptions with_output = cat;
    with_output.streams.output = Stdio::null();
    CHECK_THROWS_AS((void)run_pipeline({cat, with_input}), std::invalid_argument);
    CHECK_THROWS_AS((void)run_pipeline({with_output, cat}), std::invalid_argument);
    CHECK(run_pipeline({with_input, with_output}).success());
}
