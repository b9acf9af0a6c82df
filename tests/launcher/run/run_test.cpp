#include <syncspawn/launcher/run.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/run/fed_stream.hpp"
#include "launcher/run/kept_bytes.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"

// What a run reads and writes.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

// Yields `count` pieces, all of them the same.
auto pieces(int count, std::string piece) {
    return [left = count, piece = std::move(piece)]() mutable {
        return left-- > 0 ? piece : std::string();
    };
}

std::string kept(Capture::Keep keep, std::size_t limit, std::initializer_list<const char*> texts) {
    detail::KeptBytes bytes(limit, keep);
    for (const char* const text : texts) {
        bytes.add(text);
    }
    const std::uint64_t dropped = bytes.dropped();
    return bytes.take() + "+" + std::to_string(dropped);
}

}  // namespace

TEST_CASE("a run answers with output, error and status") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run(shell("echo out; echo err >&2; exit 3"));
    CHECK(result.status == ExitStatus::exited(3));
    CHECK(result.output == "out\n");
    CHECK(result.error == "err\n");
    CHECK(result.end == RunEnd::program);
    CHECK_FALSE(result.success());
    CHECK_FALSE(result.is_late());
    CHECK_FALSE(result.is_held_open);
    CHECK(result.wall_time > 0ns);
    REQUIRE(result.stages.size() == 1);
    CHECK(result.stages[0].status == ExitStatus::exited(3));
    CHECK(result.stages[0].error == "err\n");
    CHECK(result.stages[0].usage);
    CHECK_FALSE(result.stages[0].survivor);
}

TEST_CASE("a run whose program cannot be launched throws, or sets the error") {
    const NothingIsLeft nothing_is_left;
    CHECK_THROWS_AS((void)run({.program = "/nowhere"}), SpawnError);
    SpawnError error;
    const RunResult result = run({.program = "/nowhere"}, {}, error);
    CHECK(error.stage() == Stage::execve);
    CHECK(result.stages.empty());
    CHECK(run({.program = "true"}, {}, error).success());
    CHECK_FALSE(error);
}

TEST_CASE("what goes in and comes out at once may be larger than any pipe") {
    const NothingIsLeft nothing_is_left;
    constexpr int count = 100;
    std::size_t received = 0;
    const RunResult result =
        run({.program = "cat"}, {.input = pieces(count, std::string(mebibyte, 'x')),
                                 .output = {.limit = 10, .receive = [&](std::string_view text) {
                                                received += text.size();
                                            }}});
    CHECK(result.success());
    CHECK(received == count * mebibyte);
    CHECK(result.output == std::string(10, 'x'));
    CHECK(result.output_dropped == count * mebibyte - 10);
}

TEST_CASE("while it runs, the program may be asked about, before it is given its input") {
    const NothingIsLeft nothing_is_left;
    for (const bool has_a_part_behind : {false, true}) {
        CAPTURE(has_a_part_behind);
        SyncedSpawner spawner(shell("read -r word; echo $$ $word"));
        if (has_a_part_behind) {  // so that streams are moved while it is launched
            spawner.step({.name = "behind", .after_execve = [](ParentSide&) {}});
        }
        std::vector<std::string> calls;
        pid_t pid = -1;
        const RunResult result = run(spawner, {.input =
                                                   [&, left = 1]() mutable {
                                                       calls.emplace_back("input");
                                                       return left-- > 0 ? "word\n" : "";
                                                   },
                                               .launched =
                                                   [&](const Process& process) {
                                                       pid = process.pid();
                                                       calls.emplace_back("launched");
                                                       CHECK(name_of(process) == "sh");
                                                       CHECK(state_of(pid) != 'Z');
                                                   }});
        CHECK(result.output == std::to_string(pid) + " word\n");
        REQUIRE(calls.size() > 1);
        CHECK(calls.front() == "launched");
        CHECK(std::ranges::count(calls, "launched") == 1);
    }
}

TEST_CASE("a program that gets ready by its input is given it") {
    const NothingIsLeft nothing_is_left;
    int calls = 0;
    SpawnOptions program =
        shell("read -r word; echo $word; exec " + std::string(SYNCSPAWN_TEST_HELPERS) +
              "/launch_readiness 'is ready'");
    program.readiness.within = 60s;
    const RunResult result =
        run(program, {.input = pieces(1, "word\n"), .launched = [&](const Process&) { ++calls; }});
    CHECK(result.output == "word\n");
    CHECK(calls == 1);
}

TEST_CASE("one that has ended is not reaped while it is asked about") {
    const NothingIsLeft nothing_is_left;
    char state = '?';
    CHECK(run({.program = "true"}, {.launched =
                                        [&](const Process& process) {
                                            siginfo_t info{};
                                            REQUIRE(waitid(P_PID, static_cast<id_t>(process.pid()),
                                                           &info, WEXITED | WNOWAIT) == 0);
                                            state = state_of(process.pid());
                                        }})
              .success());
    CHECK(state == 'Z');
}

TEST_CASE("what is thrown when the program runs ends it") {
    const NothingIsLeft nothing_is_left;
    const auto refuse = [](const Process&) { throw std::runtime_error("not so"); };
    CHECK_THROWS_WITH_AS(
        (void)run({.program = "sleep", .arguments = {"1000"}}, {.launched = refuse}), "not so",
        std::runtime_error);
    CHECK_THROWS_WITH_AS((void)run({.program = "true"}, {.launched = refuse}), "not so",
                         std::runtime_error);
    SpawnError error;
    (void)run({.program = "/nowhere"}, {.launched = refuse}, error);
    CHECK(error.stage() == Stage::execve);
}

TEST_CASE("a program that fills both its outputs does not hang") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run(shell("head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero"));
    CHECK(result.success());
    CHECK(result.output.size() == 3'000'000);
    CHECK(result.error.size() == 3'000'000);
}

TEST_CASE("the input is that of the streams, or the source's, or nothing") {
    const NothingIsLeft nothing_is_left;
    CHECK(run({.program = "cat"}).output.empty());
    CHECK(run({.program = "cat", .streams = {.input = Stdio::pipe()}}).output.empty());
    CHECK(run({.program = "cat", .streams = {.input = Stdio::text("given")}}).output == "given");
    CHECK(run({.program = "cat"}, {.input = pieces(3, "ab")}).output == "ababab");
    CHECK(run({.program = "cat"}, {.input = pieces(0, "")}).output.empty());
    CHECK_THROWS_AS((void)run({.program = "cat", .streams = {.input = Stdio::text("given")}},
                              {.input = pieces(3, "ab")}),
                    std::invalid_argument);
}

TEST_CASE("a program that does not read its input is no error") {
    const NothingIsLeft nothing_is_left;
    const RunResult result =
        run(shell("exec <&-; echo closed"), {.input = [] { return std::string(mebibyte, 'x'); }});
    CHECK(result.success());
    CHECK(result.output == "closed\n");
}

TEST_CASE("to write where nobody reads any more is an end, and raises no SIGPIPE") {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[0]);
    const std::function<std::string()> source = pieces(3, "text");
    detail::FedStream stream(source);
    stream.open(UniqueFd(ends[1]));
    CHECK(stream.write() == detail::FedStream::Answer::end);
    sigset_t pending;
    REQUIRE(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("a source that never ends ends with the program") {
    const NothingIsLeft nothing_is_left;
    const RunResult result = run({.program = "head", .arguments = {"-c", "100000"}},
                                 {.input = [] { return std::string("line\n"); }});
    CHECK(result.success());
    CHECK(result.output.size() == 100'000);
}

TEST_CASE("error may be merged into output, and output into error, in the order of writing") {
    const NothingIsLeft nothing_is_left;
    SpawnOptions options = shell("echo 1; echo 2 >&2; echo 3; echo 4 >&2");
    options.streams.error = Stdio::same_as_output();
    RunResult result = run(options);
    CHECK(result.output == "1\n2\n3\n4\n");
    CHECK(result.error.empty());
    options.streams = {.output = Stdio::same_as_error()};
    result = run(options);
    CHECK(result.output.empty());
    CHECK(result.error == "1\n2\n3\n4\n");
}

TEST_CASE("streams that were set stay as they are") {
    const NothingIsLeft nothing_is_left;
    const TemporaryDirectory directory;
    const std::string path = directory.file("output", "", 0600);
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    SpawnOptions options = shell("echo out; echo err >&2");
    options.streams = {.output = Stdio::descriptor(file.get()), .error = Stdio::null()};
    const RunResult result = run(options);
    CHECK(result.success());
    CHECK(result.output.empty());
    CHECK(result.error.empty());
    CHECK(read_file(path) == "out\n");
}

TEST_CASE("of a stream the beginning is kept, or the end") {
    using enum Capture::Keep;
    CHECK(kept(beginning, 4, {"ab", "cd"}) == "abcd+0");
    CHECK(kept(beginning, 4, {"abc", "def"}) == "abcd+2");
    CHECK(kept(end, 4, {"ab"}) == "ab+0");
    CHECK(kept(end, 4, {"ab", "cd"}) == "abcd+0");
    CHECK(kept(end, 4, {"abc", "def", "g"}) == "defg+3");
    CHECK(kept(end, 4, {"abc", "defghijklmn", "o"}) == "lmno+11");
    CHECK(kept(end, 4, {"abcdefgh"}) == "efgh+4");
    CHECK(kept(beginning, 0, {"abc"}) == "+3");
    CHECK(kept(end, 0, {"abc"}) == "+3");
}

TEST_CASE("a run keeps what its options say, and counts what it drops") {
    const NothingIsLeft nothing_is_left;
    const RunResult result =
        run(shell("printf 'one two three'; printf 'four five' >&2"),
            {.output = {.limit = 5, .keep = Capture::Keep::end}, .error = {.limit = 4}});
    CHECK(result.success());
    CHECK(result.output == "three");
    CHECK(result.output_dropped == 8);
    CHECK(result.error == "four");
    CHECK(result.error_dropped == 5);
    CHECK(result.stages.at(0).error_dropped == 5);
}

TEST_CASE("a callback receives all bytes in order, kept or not") {
    const NothingIsLeft nothing_is_left;
    std::string output;
    std::string error;
    const RunResult result =
        run(shell("for i in 1 2 3 4 5; do echo $i; echo -$i >&2; done"),
            {.output = {.limit = 0, .receive = [&](std::string_view text) { output += text; }},
             .error = {.receive = [&](std::string_view text) { error += text; }}});
    CHECK(result.output.empty());
    CHECK(output == "1\n2\n3\n4\n5\n");
    CHECK(error == "-1\n-2\n-3\n-4\n-5\n");
    CHECK(result.error == error);
}

TEST_CASE("what a callback throws comes out when all is ended") {
    const NothingIsLeft nothing_is_left;
    CHECK_THROWS_WITH_AS(
        (void)run(
            shell("echo; exec sleep 1000"),
            {.output = {.receive = [](std::string_view) { throw std::runtime_error("thrown"); }}}),
        "thrown", std::runtime_error);
    CHECK_THROWS_WITH_AS((void)run({.program = "cat"}, {.input = []() -> std::string {
                                       throw std::runtime_error("no more");
                                   }}),
                         "no more", std::runtime_error);
}

TEST_CASE("run options that can never work are misuse") {
    const SyncedSpawner spawner({.program = "true"});
    CHECK_THROWS_AS(Run(spawner, {.within = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(Run(spawner, {.drain = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(Run(spawner, {.stop = {Stop::wait()}}), std::invalid_argument);
    CHECK_THROWS_AS(Run(spawner, {.stop = {Stop::signal(1000, 1s)}}), std::invalid_argument);
    CHECK_THROWS_AS(Run(std::vector<SyncedSpawner>()), std::invalid_argument);
}

TEST_CASE("what a program writes before it is ready is read, however much it is") {
    const NothingIsLeft nothing_is_left;
    SpawnOptions options =
        shell("head -c 1048576 /dev/zero; echo soon >&2; exec " +
              std::string(SYNCSPAWN_TEST_HELPERS) + "/launch_readiness 'is ready'");
    options.readiness.within = 60s;
    const RunResult result = run(options);
    CHECK(result.status == ExitStatus::exited(42));
    CHECK(result.output.size() == mebibyte);
    CHECK(result.error == "soon\n");
}
