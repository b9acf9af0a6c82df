#include <syncspawn/launcher/descriptors.hpp>

#include <doctest/doctest.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "support/launched.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

SpawnOptions shell_with(const std::string& script, Streams streams) {
    SpawnOptions options = shell(script);
    options.streams = std::move(streams);
    return options;
}

}  // namespace

TEST_CASE(
    "the standard error may go where the output goes, in the order in which both are written") {
    Process process =
        SyncedSpawner(shell_with("echo one; echo two >&2; echo three",
                                 {.output = Stdio::pipe(), .error = Stdio::same_as_output()}))
            .spawn();
    CHECK(process.standard_error() == -1);
    CHECK(read_all(process.standard_output()) == "one\ntwo\nthree\n");
    CHECK(process.wait().success());
}

TEST_CASE("the standard output may go where the error goes") {
    Process process =
        SyncedSpawner(shell_with("echo one; echo two >&2",
                                 {.output = Stdio::same_as_error(), .error = Stdio::pipe()}))
            .spawn();
    CHECK(read_all(process.standard_error()) == "one\ntwo\n");
    CHECK(process.wait().success());
}

TEST_CASE("a text is the standard input, whatever its size, and each launch reads all of it") {
    const std::string text(3 << 20, 'x');
    const SyncedSpawner spawner({.program = "wc",
                                 .arguments = {"-c"},
                                 .streams = {.input = Stdio::text(text), .output = Stdio::pipe()}});
    for (int launch = 0; launch < 2; ++launch) {
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "3145728\n");
        CHECK(process.wait().success());
    }
}

TEST_CASE("the ends of the pipes can be taken from a launch, and are not in its process then") {
    Launch launch = SyncedSpawner({.program = "cat",
                                   .streams = {.input = Stdio::pipe(), .output = Stdio::pipe()}})
                        .launch();
    CHECK_THROWS_WITH_AS((void)launch.take_standard_output(),
                         "syncspawn::Launch: no child has been started yet", std::logic_error);
    bool is_over = launch.advance();
    const UniqueFd output = launch.take_standard_output();
    while (!is_over) {
        is_over = launch.advance();
    }
    Process process = launch.take_process();
    CHECK(process.standard_output() == -1);
    CHECK_THROWS_WITH_AS((void)process.take_standard_output(),
                         "syncspawn::Process: the standard output was moved out", std::logic_error);
    CHECK(write(process.standard_input(), "text", 4) == 4);
    process.take_standard_input().reset();
    CHECK(read_all(output.get()) == "text");
    CHECK(process.wait().success());
}

TEST_CASE("streams that cannot be are refused") {
    const auto refuses = [](Streams streams) {
        CHECK_THROWS_AS(SyncedSpawner(shell_with("true", std::move(streams))),
                        std::invalid_argument);
    };
    refuses({.input = Stdio::same_as_output()});
    refuses({.input = Stdio::same_as_error()});
    refuses({.output = Stdio::same_as_output()});
    refuses({.error = Stdio::same_as_error()});
    refuses({.output = Stdio::same_as_error(), .error = Stdio::same_as_output()});
    refuses({.output = Stdio::text("text")});
    refuses({.error = Stdio::text("text")});
}
