#include <doctest/doctest.h>

#include <csignal>

#include <syncspawn/launcher/spawn_error.hpp>

#include "support/launched.hpp"

// The text of the error of a program that was executed, and is not ready.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SpawnOptions program_that(std::string does, std::chrono::nanoseconds ready_within) {
    return {.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
            .arguments = {std::move(does)},
            .setup = {.abort_grace = 0ns},
            .readiness = {.within = ready_within}};
}

// For programs that end, or say that they are not going to be ready: there is time enough.
SpawnError failure_to(std::string what) { return failure_of(program_that(std::move(what), 60s)); }

std::string text_of(const SpawnError& error) { return error.what(); }

}  // namespace

TEST_CASE("a program that is ready in time is none to complain of") {
    CHECK(SyncedSpawner(program_that("is ready", 60s)).spawn().wait().code() == 42);
}

TEST_CASE("a program that exits before it is ready is told with its code") {
    const SpawnError error = failure_to("exits");
    CHECK(text_of(error) == "the program exited with code 3 before it was ready");
    CHECK(error.stage() == Stage::readiness);
    CHECK(error.cause() == Cause::exited);
    CHECK(error.side() == WhichSide::child);
    CHECK(error.status() == ExitStatus::exited(3));
    CHECK(error.program_may_have_run());
}

TEST_CASE("a program that exits after it has attached is told in the same way") {
    CHECK(text_of(failure_to("attaches and exits")) ==
          "the program exited with code 3 before it was ready");
}

TEST_CASE("a program that is killed before it is ready is told with the signal") {
    const SpawnError error = failure_to("is killed");
    CHECK(text_of(error) == "the program was killed by SIGKILL before it was ready");
    CHECK(error.cause() == Cause::killed);
    CHECK(error.status() == ExitStatus::killed(SIGKILL));
}

TEST_CASE("a program that aborts is told so") {
    const SpawnError error = failure_to("aborts");
    CHECK(text_of(error) == "the program aborted the barrier before it was ready");
    CHECK(error.cause() == Cause::aborted);
    CHECK(error.code() == std::errc::operation_canceled);
}

TEST_CASE("a program that closes its barrier and lives on is told so") {
    const SpawnError error = failure_to("closes");
    CHECK(text_of(error) == "the program closed its barrier before it was ready, and lived on");
    CHECK(error.cause() == Cause::disconnected);
}

// The two below never become ready, so the deadline may be as short as one likes; what they had done
// by then is looked at when it passes. One that attaches does so in a few milliseconds: if it should
// be slower than the deadline, a longer one is tried.
TEST_CASE("a program that never attaches is told so at the deadline") {
    const SpawnError error = failure_of(program_that("sleeps", 50ms));
    CHECK(
        text_of(error) ==
        "the program was not ready within 50 ms; the program itself never attached to its barrier");
    CHECK(error.cause() == Cause::timed_out);
    CHECK(error.stage() == Stage::readiness);
    CHECK(error.code() == std::errc::timed_out);
    CHECK(error.program_may_have_run());
}

TEST_CASE("a program that attaches and is never ready is told so at the deadline") {
    std::string text;
    for (int seconds = 1; seconds <= 16 && !text.ends_with("it has attached to its barrier");
         seconds *= 4) {
        text = text_of(failure_of(program_that("attaches", std::chrono::seconds(seconds))));
    }
    CHECK(text.ends_with(" s; it has attached to its barrier"));
    CHECK(text.starts_with("the program was not ready within "));
}

TEST_CASE("what the parent did is undone when the program is not ready") {
    bool undone = false;
    SyncedSpawner spawner(program_that("exits", 60s));
    spawner.step(
        {.name = "x", .parent = [](ParentSide&) {}, .undo = [&](ParentSide&) { undone = true; }});
    CHECK(failure_of(spawner).stage() == Stage::readiness);
    CHECK(undone);
}
