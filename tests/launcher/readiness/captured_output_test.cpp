#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"

// What a program writes before it is ready: nobody has its pipes yet, unless they were taken.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// The deadline is one that no test reaches.
SpawnOptions writer(const std::string& script, Streams streams) {
    SpawnOptions options =
        shell(script + "; exec " SYNCSPAWN_TEST_HELPERS "/launch_readiness 'is ready'");
    options.streams = std::move(streams);
    options.setup.abort_grace = 0ns;
    options.readiness.within = 10min;
    return options;
}

std::size_t count_all(int fd) { return read_all(fd).size(); }

SpawnError failure_in_a_loop(SpawnOptions options) {
    Launch launch = SyncedSpawner(std::move(options)).launch();
    while (!launch.advance()) {
        pollfd loop{launch.descriptor(), POLLIN, 0};
        poll(&loop, 1, -1);
    }
    SpawnError error;
    const Process process = launch.take_process(error);
    return error;
}

void check_is_stuck(const SpawnError& error, const std::string& name) {
    CHECK(error.stage() == Stage::readiness);
    CHECK(error.cause() == Cause::error);
    CHECK(error.code() == std::errc::no_buffer_space);
    CHECK(error.program_may_have_run());
    CHECK(error.detail().starts_with("the program is not ready, and its " + name +
                                     " is full: nobody reads the "));
    CHECK(error.hint().starts_with("use run()"));
    CHECK(std::string(error.what()).starts_with(error.detail() + " (" + error.hint() + ")"));
}

}  // namespace

TEST_CASE(
    "a program may write more than a pipe holds before it is ready, and nothing of it is lost") {
    const NothingIsLeft check;
    Process process = SyncedSpawner(writer("head -c 900000 /dev/zero; head -c 300000 /dev/zero >&2",
                                           {.output = Stdio::pipe(), .error = Stdio::pipe()}))
                          .spawn();
    CHECK(count_all(process.standard_output()) == 900000);
    CHECK(count_all(process.standard_error()) == 300000);
    CHECK(process.wait() == ExitStatus::exited(42));
}

// A page less, since one that is full to the brim counts as stuck once it has been so for a second.
TEST_CASE("a program may write almost as much as the largest pipe holds, and then take its time") {
    const std::size_t bytes = std::stoul(read_file("/proc/sys/fs/pipe-max-size")) - 4096;
    Process process =
        SyncedSpawner(writer("head -c " + std::to_string(bytes) + " /dev/zero; sleep 1.2",
                             {.output = Stdio::pipe()}))
            .spawn();
    CHECK(count_all(process.standard_output()) == bytes);
    CHECK(process.wait() == ExitStatus::exited(42));
}

TEST_CASE("a program that waits for its output to be read fails then, and not at the deadline") {
    const NothingIsLeft check;
    const std::string script = "head -c 100000000 /dev/zero";
    SUBCASE("the standard output") {
        check_is_stuck(failure_of(writer(script, {.output = Stdio::pipe()})), "standard output");
    }
    SUBCASE("the standard error") {
        check_is_stuck(failure_of(writer(script + " >&2", {.error = Stdio::pipe()})),
                       "standard error");
    }
    SUBCASE("in an event loop") {
        check_is_stuck(failure_in_a_loop(writer(script, {.output = Stdio::pipe()})),
                       "standard output");
    }
    // Each piece begins a page of its own, so that the pipe is full with half of the bytes.
    SUBCASE("in pieces that fill half a page") {
        check_is_stuck(failure_of(writer("dd if=/dev/zero bs=2049 count=100000 2>/dev/null",
                                         {.output = Stdio::pipe()})),
                       "standard output");
    }
}

TEST_CASE("an ordinary user's program fails in the same way where no pipe may grow") {
    Peer peer([] {
        if (geteuid() == 0) {
            expect(setresuid(65534, 65534, 65534) == 0);
        }
        // All pages that the pipes of one user may have. As many pipes as it takes.
        for (int pipes = 0; pipes < 200; ++pipes) {
            int ends[2];
            expect(pipe2(ends, O_CLOEXEC) == 0);
            if (fcntl(ends[0], F_SETPIPE_SZ, 1 << 20) < 0) {
                break;
            }
        }
        const SpawnError error =
            failure_of(writer("head -c 100000000 /dev/zero", {.output = Stdio::pipe()}));
        expect(error.code() == std::errc::no_buffer_space);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a program that has closed its output is not waited for there") {
    Process process = SyncedSpawner(writer("head -c 60000 /dev/zero; exec >&- 2>&-",
                                           {.output = Stdio::pipe(), .error = Stdio::pipe()}))
                          .spawn();
    CHECK(count_all(process.standard_output()) == 60000);
    CHECK(process.wait() == ExitStatus::exited(42));
}

TEST_CASE("an end that is taken from a launch can be read before the program is ready") {
    const NothingIsLeft check;
    Launch launch =
        SyncedSpawner(writer("head -c 5000000 /dev/zero", {.output = Stdio::pipe()})).launch();
    bool is_over = launch.advance();
    const UniqueFd output = launch.take_standard_output();
    std::size_t bytes = 0;
    char buffer[65536];
    while (!is_over) {
        pollfd loop[] = {{launch.descriptor(), POLLIN, 0}, {output.get(), POLLIN, 0}};
        poll(loop, 2, -1);
        if (loop[1].revents != 0) {
            bytes += static_cast<std::size_t>(read(output.get(), buffer, sizeof buffer));
        }
        is_over = launch.advance();
    }
    Process process = launch.take_process();
    CHECK(bytes + count_all(output.get()) == 5000000);
    CHECK(process.wait() == ExitStatus::exited(42));
}

TEST_CASE("an end that a part has taken can be read before the program is ready") {
    const NothingIsLeft check;
    std::size_t bytes = 0;
    std::thread reader;
    SyncedSpawner spawner(writer("head -c 5000000 /dev/zero", {.output = Stdio::pipe()}));
    spawner.step({.name = "reader", .parent = [&](ParentSide& side) {
                      reader = std::thread([&bytes, end = side.take_standard_output()] {
                          bytes = count_all(end.get());
                      });
                  }});
    Process process = spawner.spawn();
    CHECK(process.standard_output() == -1);
    CHECK(process.wait() == ExitStatus::exited(42));
    reader.join();
    CHECK(bytes == 5000000);
}

TEST_CASE("a part that takes what is not there, and an undo that takes anything, fail") {
    SyncedSpawner none({.program = "true"});
    none.step(
        {.name = "taker", .parent = [](ParentSide& side) { (void)side.take_standard_error(); }});
    CHECK(std::string(failure_of(none).what()) ==
          "taker in the parent: exception: syncspawn::ParentSide: the standard error is no "
          "Stdio::pipe()");
    SyncedSpawner undone({.program = "/none", .streams = {.output = Stdio::pipe()}});
    undone.step({.name = "taker",
                 .parent = [](ParentSide&) {},
                 .undo = [](ParentSide& side) { (void)side.take_standard_output(); }});
    CHECK(std::string(failure_of(undone).what()).find("no streams without a child") !=
          std::string::npos);
}

TEST_CASE("an end is not taken from a launch twice, and not after it is over") {
    Launch launch = SyncedSpawner({.program = "cat", .streams = {.input = Stdio::pipe()}}).launch();
    while (!launch.advance()) {
        pollfd loop{launch.descriptor(), POLLIN, 0};
        poll(&loop, 1, -1);
    }
    CHECK_THROWS_WITH_AS((void)launch.take_standard_input(),
                         "syncspawn::Launch: the standard input was moved out", std::logic_error);
    Process process = launch.take_process();
    process.take_standard_input().reset();
    CHECK(process.wait().success());
}
