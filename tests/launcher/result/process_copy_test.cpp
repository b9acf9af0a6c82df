#include <syncspawn/launcher/process.hpp>

#include <doctest/doctest.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "support/launched.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"

// What becomes of a program, and of a launch under way, if the application forks: its copy has a copy of
// the object, and lets go of that in one way or another.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SpawnOptions sleeper(StopActions stop = {Stop::kill()}) {
    return {.program = "sleep", .arguments = {"1000"}, .ending = {.stop = std::move(stop)}};
}

// Runs `act` in a copy of this process, which then ends without destructors; true if it succeeded.
template <class Act>
bool succeeds_in_a_copy(Act act) {
    const pid_t copy = fork();
    if (copy == 0) {
        act();
        _exit(status_reached);
    }
    int status = 0;
    return waitpid(copy, &status, 0) == copy && WIFEXITED(status) &&
           WEXITSTATUS(status) == status_reached;
}

// With all destructors of static objects. What the harness has not written yet, it writes itself.
void leave_by_exit() {
    close(STDOUT_FILENO);
    std::exit(status_reached);
}

template <class Call>
bool is_misuse(Call call) {
    try {
        call();
    } catch (const std::logic_error&) {
        return true;
    }
    return false;
}

// Had somebody else ended it, it were not this signal.
void expect_to_run(Process& program) {
    expect(!program.try_wait());
    expect(program.terminate(1h) == ExitStatus::killed(SIGTERM));
}

// A child that never ends its part by itself, and an undo that counts.
struct Stuck {
    Shared<std::atomic<int>> undone{};
    SyncedSpawner spawner;

    explicit Stuck(StartMethod start)
        : spawner({.program = "true", .birth = {.method = start}, .setup = {.abort_grace = 0ns}}) {
        std::atomic<int>* const count = &*undone;
        spawner.step({.name = "done",
                      .parent = [](ParentSide&) {},
                      .undo = [count](ParentSide&) { ++*count; }});
        spawner.step({.name = "stuck", .child = shared_memory([](ChildSide&) {
                                           for (;;) {
                                               pause();
                                           }
                                       })});
    }
};

void expect_to_be_under_way(Launch& launch, const Stuck& stuck) {
    expect(*stuck.undone == 0);
    expect(!launch.advance());
    launch.cancel();
    while (!launch.advance()) {
    }
    SpawnError error;
    expect(!launch.take_process(error));
    expect(error.cause() == Cause::cancelled);
    expect(*stuck.undone == 1);
}

}  // namespace

TEST_CASE("a copy of the process that exits leaves the program alone") {
    for (const StopActions& stop :
         {StopActions{Stop::kill()}, {Stop::terminate(5s), Stop::kill()}, {Stop::wait()}}) {
        Peer peer([stop] {
            static Process program;
            program = SyncedSpawner(sleeper(stop)).spawn();
            expect(succeeds_in_a_copy(leave_by_exit));
            expect_to_run(program);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a process that is destroyed in a copy of its owner leaves the program alone") {
    Peer peer([] {
        Process program = SyncedSpawner(sleeper()).spawn();
        expect(succeeds_in_a_copy([&] { program = Process(); }));
        expect(succeeds_in_a_copy([&] { const Process moved(std::move(program)); }));
        expect_to_run(program);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a copy of the process that was made without the C library leaves the program alone") {
    Peer peer([] {
        Process program = SyncedSpawner(sleeper()).spawn();
        const auto copy = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
        if (copy == 0) {
            program = Process();
            _exit(0);
        }
        expect(waitpid(copy, nullptr, 0) == copy);
        expect_to_run(program);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE(
    "in a copy of its owner a process may be looked at, but neither waited for nor signalled") {
    Peer peer([] {
        SpawnOptions options = sleeper();
        options.streams.output = Stdio::pipe();
        Process program = SyncedSpawner(options).spawn();
        const pid_t pid = program.pid();
        expect(succeeds_in_a_copy([&] {
            expect(program && program.pid() == pid && program.standard_output() >= 0);
            expect(program.timeline().size() > 1);
            std::error_code error;
            expect(is_misuse([&] { program.wait(); }));
            expect(is_misuse([&] { program.try_wait(); }));
            expect(is_misuse([&] { program.wait_until(Deadline::max()); }));
            expect(is_misuse([&] { program.signal(SIGKILL); }));
            expect(is_misuse([&] { program.signal(SIGKILL, error); }));
            expect(is_misuse([&] { program.stop({}); }));
            expect(is_misuse([&] { program.stop({Stop::kill()}); }));
            expect(is_misuse([&] { program.terminate(0ns); }));
            expect(is_misuse([&] { program.kill(); }));
            expect(is_misuse([&] { program.release(); }));
        }));
        expect_to_run(program);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a copy of the process may launch by itself") {
    Peer peer([] {
        Process program = SyncedSpawner(sleeper()).spawn();
        expect(succeeds_in_a_copy([&] {
            program = SyncedSpawner(sleeper()).spawn();
            expect_to_run(program);
        }));
        expect_to_run(program);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a launch under way is not touched by a copy of the process") {
    for (const StartMethod start : start_methods()) {
        Peer peer([start] {
            static const Stuck stuck(start);
            static Launch launch = stuck.spawner.launch();
            expect(!launch.advance());
            expect(succeeds_in_a_copy([] { launch = Launch(); }));
            expect(succeeds_in_a_copy(leave_by_exit));
            expect(succeeds_in_a_copy([] {
                SpawnError error;
                expect(is_misuse([] { launch.advance(); }));
                expect(is_misuse([] { launch.cancel(); }));
                expect(is_misuse([&] { (void)launch.take_process(error); }));
            }));
            expect_to_be_under_way(launch, stuck);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a launch that has not begun may be begun by a copy of the process") {
    Peer peer([] {
        Launch launch = SyncedSpawner({.program = "true"}).launch();
        const auto succeeds = [&] {
            while (!launch.advance()) {
            }
            expect(launch.take_process().wait().success());
        };
        expect(succeeds_in_a_copy(succeeds));
        succeeds();
    });
    CHECK(peer.ending() == reached_the_end);
}
