#include "launcher/result/last_words.hpp"

#include <doctest/doctest.h>

#include <string>

#include <syncspawn/launcher/spawn_error.hpp>

#include "support/launched.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;
using syncspawn::detail::quoted_lines_of;

namespace {

SpawnError failure_to(const std::string& script, Streams streams) {
    SpawnOptions options = shell(script);
    options.streams = std::move(streams);
    options.readiness.within = 10min;
    return failure_of(std::move(options));
}

}  // namespace

TEST_CASE("an error has the last words of a program that exits before it is ready") {
    const SpawnError error =
        failure_to("echo 'cannot bind: port 80 is taken' >&2; exit 3", {.error = Stdio::pipe()});
    CHECK(error.last_words() == "cannot bind: port 80 is taken\n");
    CHECK(std::string(error.what()) ==
          "the program exited with code 3 before it was ready; its last words: "
          "\"cannot bind: port 80 is taken\"");
}

TEST_CASE("last words are found in the output where the error goes there, and nowhere else") {
    const std::string script = "echo out; echo err >&2; exit 3";
    CHECK(failure_to(script, {.output = Stdio::pipe(), .error = Stdio::same_as_output()})
              .last_words() == "out\nerr\n");
    CHECK(failure_to(script, {.output = Stdio::same_as_error(), .error = Stdio::pipe()})
              .last_words() == "out\nerr\n");
    CHECK(
        failure_to(script, {.output = Stdio::pipe(), .error = Stdio::null()}).last_words().empty());
    CHECK(
        failure_to(script, {.output = Stdio::null(), .error = Stdio::null()}).last_words().empty());
}

TEST_CASE("of many words the last 4 KiB are kept, even where another process still writes") {
    const SpawnError error = failure_to(
        "yes >&2 & head -c 50000 /dev/zero | tr '\\0' x >&2; echo; echo end >&2; kill $!; exit 1",
        {.output = Stdio::null(), .error = Stdio::pipe()});
    CHECK(error.last_words().size() <= 4096);
    CHECK_FALSE(error.last_words().empty());
}

TEST_CASE("a program that never was has no last words, though its child part may have written") {
    SyncedSpawner spawner({.program = "/none", .streams = {.error = Stdio::pipe()}});
    const SpawnError error = failure_of(spawner);
    CHECK(error.stage() == Stage::execve);
    CHECK(error.last_words().empty());
}

TEST_CASE("whoever has read the stream himself adds the last words") {
    const SpawnError error = failure_to("exit 3", {});
    const SpawnError more = error.with_last_words(std::string(5000, 'x') + "\nthe end\n");
    CHECK(error.last_words().empty());
    CHECK(more.last_words().size() == 4096);
    CHECK(more.status() == ExitStatus::exited(3));
    CHECK(std::string(more.what()).ends_with("...\", \"the end\""));
    CHECK_FALSE(SpawnError().with_last_words("words"));
}

TEST_CASE("the last three lines are quoted in one line, and no terminal obeys them") {
    CHECK(quoted_lines_of("").empty());
    CHECK(quoted_lines_of("\n \n\t\n").empty());
    CHECK(quoted_lines_of("one\ntwo\n\nthree\nfour") == R"("two", "three", "four")");
    CHECK(quoted_lines_of("10 %\r20 %\r") == R"("10 %", "20 %")");
    CHECK(quoted_lines_of("\x1b[31mred\x1b[0m\ta\x07") == R"("red a?")");
    CHECK(quoted_lines_of("\x1b]0;title\x07") == R"("?]0;title?")");
    CHECK(quoted_lines_of("gr\xc3\xbc\xc3\x9f, \xe2\x82\xac, \xf0\x9f\x98\x80") ==
          "\"gr\xc3\xbc\xc3\x9f, \xe2\x82\xac, \xf0\x9f\x98\x80\"");
    CHECK(quoted_lines_of("\xc2\x9b"
                          "31m \xff \xc3") == R"("??31m ? ?")");
    CHECK(quoted_lines_of("\x1b[") == "");
    CHECK(quoted_lines_of(std::string(161, 'x')) == "\"" + std::string(160, 'x') + "...\"");
    CHECK(quoted_lines_of(std::string(160, 'x')) == "\"" + std::string(160, 'x') + "\"");
}
