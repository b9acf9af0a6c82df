#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/skip.hpp"

// The barrier that a program is handed: the part of a launch beyond execve.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string helper(const std::string& name) { return SYNCSPAWN_TEST_HELPERS "/" + name; }

Process handed_over(const std::string& program, std::vector<std::string> arguments) {
    return SyncedSpawner({.program = helper(program),
                          .arguments = std::move(arguments),
                          .readiness = {.hand_over = HandOver::barrier}})
        .spawn();
}

constexpr const char* print_handed_over = "env | grep -c ^SYNCSPAWN_BARRIER_";

}  // namespace

TEST_CASE("a program in either language attaches and keeps in step as often as one likes") {
    std::string program;
    SUBCASE("C++") { program = "launch_meets"; }
    SUBCASE("C") { program = "launch_meets_in_c"; }
    Process process = handed_over(program, {"5"});
    for (int round = 0; round < 5; ++round) {
        REQUIRE(process.barrier().place_and_sync() == Outcome::reached);
    }
    CHECK(process.wait().code() == 42);
    CHECK(process.barrier().sync() == Outcome::reached);
    CHECK(process.barrier().place_and_sync() == Outcome::peer_gone);
}

TEST_CASE("a rendezvous after execve holds the program until the parent is there") {
    Process process = handed_over("launch_meets", {"1"});
    CHECK(is_blocked_in_a_wait(process.pid()));
    CHECK_FALSE(process.try_wait());
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait().code() == 42);
}

TEST_CASE("the parent sees a program that ends before it has placed as gone") {
    Process process = handed_over("launch_readiness", {"exits"});
    CHECK(process.barrier().place_and_sync() == Outcome::peer_gone);
    CHECK(process.wait().code() == 3);
}

TEST_CASE("a program that never attaches is not in the way of its own end") {
    SpawnOptions options = shell("exit 5");
    options.readiness.hand_over = HandOver::barrier;
    CHECK(SyncedSpawner(options).spawn().wait().code() == 5);
}

TEST_CASE("after readiness both sides go on with the same barrier") {
    Process process =
        SyncedSpawner(
            {.program = helper("launch_meets"), .arguments = {"3"}, .readiness = {.within = 60s}})
            .spawn();
    // The first meeting was "ready".
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait().code() == 42);
}

TEST_CASE("the counts of the setup do not shift those of the program") {
    SyncedSpawner spawner({.program = helper("launch_meets"),
                           .arguments = {"2"},
                           .birth = {.namespaces = Namespaces::none},
                           .readiness = {.hand_over = HandOver::barrier}});
    for (int round = 0; round < 7; ++round) {
        spawner.rendezvous("round " + std::to_string(round));
    }
    Process process = spawner.spawn();
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.barrier().status().balance == 0);
    CHECK(process.wait().code() == 42);
}

TEST_CASE("an abort of the parent reaches the program") {
    Process process = handed_over("launch_meets", {"1"});
    CHECK(is_blocked_in_a_wait(process.pid()));
    CHECK(process.barrier().abort() == Outcome::reached);
    CHECK(process.wait().code() == 1);
}

TEST_CASE("the barrier of a program does not take a number that is passed to it") {
    int ends[2];
    REQUIRE(pipe2(ends, 0) == 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    SpawnOptions options{
        .program = helper("launch_meets"), .arguments = {"1"}, .readiness = {.within = 60s}};
    for (int number = 3; number < 40; ++number) {
        options.descriptors.passed.push_back({write_end.get(), number});
    }
    CHECK(SyncedSpawner(options).spawn().wait().code() == 42);
}

TEST_CASE("a program in a pid namespace of its own attaches") {
    SpawnError error;
    Process process = SyncedSpawner({.program = helper("launch_meets"),
                                     .arguments = {"2"},
                                     .birth = {.namespaces = Namespaces::pid},
                                     .readiness = {.within = 60s}})
                          .spawn(error);
    if (error.code() == std::errc::operation_not_permitted) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    REQUIRE_FALSE(error);
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(process.wait().code() == 42);
}

TEST_CASE("a program gets the variables only if it is handed the barrier") {
    SpawnOptions options = shell(print_handed_over);
    SUBCASE("not") { CHECK(output_of(options) == "0\n[exited with code 1]"); }
    SUBCASE("handed over") {
        options.readiness.hand_over = HandOver::barrier;
        CHECK(output_of(options) == "4\n");
    }
}

TEST_CASE("what a program that has attached starts in turn does not see the variables") {
    SpawnOptions options{.program = helper("launch_meets"),
                         .arguments = {"1", print_handed_over},
                         .streams = {.output = Stdio::pipe()},
                         .readiness = {.hand_over = HandOver::barrier}};
    Process process = SyncedSpawner(options).spawn();
    CHECK(process.barrier().place_and_sync() == Outcome::reached);
    CHECK(read_all(process.standard_output()) == "0\n");
    CHECK(process.wait().code() == 42);
}

TEST_CASE("the barrier of the parent's own launch is not passed on to its children") {
    SpawnOptions options = shell(print_handed_over);
    for (const char* name : {"LOCAL_FD", "REMOTE_FD", "PIPE_FD", "STATE"}) {
        options.environment.set(std::string("SYNCSPAWN_BARRIER_") + name, "1");
    }
    CHECK(output_of(options) == "0\n[exited with code 1]");
}

// The program has placed twice before the parent looks again: the launch is held between two advances.
TEST_CASE("places of a fast program are unread when the launch is over") {
    for (const bool awaits_readiness : {false, true}) {
        CAPTURE(awaits_readiness);
        SpawnOptions options{.program = helper("launch_readiness"),
                             .arguments = {"places twice and says so"},
                             .readiness = {.hand_over = HandOver::barrier}};
        if (awaits_readiness) {
            options.readiness.within = std::chrono::seconds(60);
        }
        int output[2];
        REQUIRE(pipe2(output, O_CLOEXEC) == 0);
        options.streams.output = Stdio::descriptor(output[1]);
        Launch launch = SyncedSpawner(options).launch();
        (void)launch.advance();
        close(output[1]);
        await_event(output[0]);  // it has placed
        close(output[0]);
        while (!launch.advance()) {
            await_event(launch.descriptor());
        }
        Process process = launch.take_process();
        CHECK(process.barrier().status().seen == (awaits_readiness ? 2 : 1));
        CHECK(process.barrier().status().balance == 0);
        CHECK(process.barrier().wait_next() == Outcome::reached);
        CHECK(process.barrier().status().seen == 3);
    }
}
