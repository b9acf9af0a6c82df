#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/ways_to_launch.hpp"

// Step::after_execve: in the parent, once the program runs.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// A program without a barrier hears of no abort. Were it given the time to, a test would never end.
const SpawnOptions endless{
    .program = "sleep", .arguments = {"1000"}, .setup = {.abort_grace = 24h}};
const SpawnOptions program_true{.program = "true"};

SyncedSpawner with_part(SpawnOptions options, ParentPart part) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .after_execve = std::move(part)});
    return spawner;
}

std::string name_of(pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/comm"); }

Launch launch_until(const SyncedSpawner& spawner, const bool& is_there) {
    Launch launch = spawner.launch();
    while (!is_there) {
        CHECK_FALSE(launch.advance());
        if (!is_there) {
            await_event(launch.descriptor());
        }
    }
    return launch;
}

std::string end_of(Launch& launch) {
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    SpawnError error;
    const Process process = launch.take_process(error);
    return error.what();
}

std::size_t place_of(const Timeline& timeline, const std::string& what) {
    return static_cast<std::size_t>(
        std::find_if(timeline.begin(), timeline.end(),
                     [&](const TimelineEvent& event) { return event.what == what; }) -
        timeline.begin());
}

}  // namespace

// When it runs.

TEST_CASE("a part behind execve sees the program run, however it was started") {
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft nothing_is_left;
            SpawnOptions options = endless;
            options.birth.method = method;
            std::string name;
            SpawnError error;
            const SyncedSpawner spawner =
                with_part(options, [&](ParentSide& side) { name = name_of(side.child_pid()); });
            CHECK(way(spawner, error));
            CHECK(name == "sleep\n");
        }
    }
}

TEST_CASE("it runs beside parts of every other kind, in the order of the steps") {
    for (const Way way : both_ways) {
        std::string order;
        SyncedSpawner spawner(program_true);
        spawner.step({.name = "a",
                      .child = shared_memory([](ChildSide&) {}),
                      .parent = [&](ParentSide&) { order += "a"; },
                      .last = shared_memory([](ChildSide&) {}),
                      .after_execve = [&](ParentSide&) { order += "A"; }});
        spawner.rendezvous("r");
        spawner.step({.name = "b", .after_execve = [&](ParentSide&) { order += "B"; }});
        spawner.step({.name = "c", .parent = [&](ParentSide&) { order += "c"; }});
        CHECK(text_after(way, spawner) == "no error");
        CHECK(order == "acAB");
    }
}

TEST_CASE("a step with this part alone leaves the launch as bare as it was") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const std::size_t threads = count_threads();
    bool has_run = false;
    const SyncedSpawner spawner =
        with_part(with_shared_memory(program_true), [&](ParentSide&) { has_run = true; });
    CHECK(spawner.spawn().wait().success());
    CHECK(has_run);
    CHECK(count_threads() == threads);
}

TEST_CASE("readiness is waited for behind it") {
    for (const Way way : both_ways) {
        SpawnError error;
        const SyncedSpawner spawner = with_part(
            {.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
             .arguments = {"is ready"},
             .readiness = {.within = 60s}},
            [](ParentSide& side) {
                return side.is_past_deadline() ? side.done() : side.wait_until(Deadline());
            });
        Process process = way(spawner, error);
        REQUIRE(process);
        const Timeline timeline = process.timeline();
        const std::size_t runs = place_of(timeline, "sees the program run");
        const std::size_t begins = place_of(timeline, "x ...");
        const std::size_t ends = place_of(timeline, "x: done");
        const std::size_t ready = place_of(timeline, "the program is ready");
        CHECK(runs < begins);
        CHECK(begins < ends);
        CHECK(ends < place_of(timeline, "waits for the program to be ready"));
        CHECK(ready < timeline.size());
        CHECK(process.wait().code() == 42);
    }
}

TEST_CASE("a program that ends before it is ready is seen, although a part was told of its end") {
    for (const Way way : both_ways) {
        const Event event;
        const SyncedSpawner spawner =
            with_part({.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
                       .arguments = {"exits"},
                       .readiness = {.within = 60s}},
                      [&](ParentSide& side) {
                          return side.has_ended() ? side.done() : side.wait_for(event.fd());
                      });
        CHECK(text_after(way, spawner) == "the program exited with code 3 before it was ready");
    }
}

TEST_CASE("it does not run if execve fails, nor is it undone") {
    for (const Way way : both_ways) {
        int calls = 0;
        SyncedSpawner spawner({.program = "/no/such/program"});
        spawner.step({.name = "x",
                      .after_execve = [&](ParentSide&) { ++calls; },
                      .undo = [&](ParentSide&) { ++calls; }});
        CHECK(text_after(way, spawner) ==
              "execve '/no/such/program' in the child: no such file or directory");
        CHECK(calls == 0);
    }
}

// Failing.

TEST_CASE("if it fails, the program is ended at once, and may have run") {
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft nothing_is_left;
            SpawnOptions options = endless;
            options.birth.method = method;
            SpawnError error;
            CHECK_FALSE(
                way(with_part(options,
                              [](ParentSide& side) { return side.fail(EACCES, "oom_score_adj"); }),
                    error));
            CHECK(std::string(error.what()) ==
                  "x in the parent: oom_score_adj: permission denied; the program may have run");
            CHECK(error.stage() == Stage::step);
            CHECK(error.side() == WhichSide::parent);
            CHECK(error.step() == "x");
            CHECK(error.code() == std::errc::permission_denied);
            CHECK(error.program_may_have_run());
        }
    }
}

TEST_CASE("an exception of it fails the launch") {
    for (const Way way : both_ways) {
        const SyncedSpawner spawner =
            with_part(endless, [](ParentSide&) { throw std::runtime_error("no"); });
        CHECK(text_after(way, spawner) ==
              "x in the parent: exception: no; the program may have run");
    }
}

TEST_CASE("its own failure is the cause, also where the program has ended before") {
    for (const Way way : both_ways) {
        const SyncedSpawner spawner = with_part(program_true, [](ParentSide& side) {
            CHECK(comes_true([&] { return side.has_ended(); }));
            return side.fail(ESRCH, "x");
        });
        CHECK(text_after(way, spawner) ==
              "x in the parent: x: no such process; the program may have run");
    }
}

TEST_CASE("what the steps did is undone once, what began last first, with what they keep") {
    for (const Way way : both_ways) {
        std::string order;
        const auto step = [&](const std::string& name) {
            return Step{
                .name = name,
                .parent =
                    [&order, name](ParentSide& side) {
                        order += name;
                        side.state<std::string>() += name;
                    },
                .after_execve =
                    [&order, name](ParentSide& side) {
                        order += name;
                        side.state<std::string>() += name + "x";
                    },
                .undo =
                    [&order](ParentSide& side) { order += "(" + side.state<std::string>() + ")"; }};
        };
        SyncedSpawner spawner(endless);
        Step only_later = step("b");
        only_later.parent = {};
        Step only_before = step("c");
        only_before.after_execve = {};
        spawner.step(step("a"));
        spawner.step(only_later);
        spawner.step(only_before);
        spawner.step({.name = "fails",
                      .after_execve = [](ParentSide& side) { return side.fail(EIO, "y"); }});
        CHECK(text_after(way, spawner) ==
              "fails in the parent: y: input/output error; the program may have run");
        CHECK(order == "acab(bx)(c)(aax)");
    }
}

TEST_CASE("what the program has said until then is in the error") {
    for (const Way way : both_ways) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        const UniqueFd says(ends[0]);
        const UniqueFd output(ends[1]);
        SpawnOptions options = shell("echo trouble >&2; echo x; exec sleep 1000");
        options.streams.output = Stdio::descriptor(output.get());
        options.streams.error = Stdio::pipe();
        bool was_called = false;
        SpawnError error;
        const SyncedSpawner spawner = with_part(options, [&](ParentSide& side) {
            return std::exchange(was_called, true) ? side.fail(EIO, "y")
                                                   : side.wait_for(says.get());
        });
        CHECK_FALSE(way(spawner, error));
        CHECK(error.last_words() == "trouble\n");
    }
}

// Waiting.

TEST_CASE("it waits as a part before execve does") {
    for (const Way way : both_ways) {
        const Event event;
        int calls = 0;
        const SyncedSpawner spawner = with_part(endless, [&](ParentSide& side) {
            CHECK_FALSE(side.has_ended());
            CHECK(side.is_past_deadline() == (calls == 2));
            switch (++calls) {
                case 1:
                    event.signal();
                    return side.wait_for(event.fd());
                case 2:
                    CHECK(event.is_signalled());
                    return side.wait_for(event.fd(), std::chrono::steady_clock::now() + 1ms);
                default:
                    return side.done();
            }
        });
        CHECK(text_after(way, spawner) == "no error");
        CHECK(calls == 3);
    }
}

TEST_CASE("a part that waits is called once more when the program ends, and may go on waiting") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        const Event event;
        int calls_after_the_end = 0;
        SpawnError error;
        const SyncedSpawner spawner = with_part(program_true, [&](ParentSide& side) {
            if (event.is_signalled()) {
                return side.done();
            }
            if (!side.has_ended()) {
                return side.wait_for(event.fd());
            }
            if (++calls_after_the_end == 2) {
                event.signal();
            }
            return side.wait_for(event.fd(), std::chrono::steady_clock::now() + 1ms);
        });
        CHECK(way(spawner, error).wait().success());
        CHECK(calls_after_the_end >= 2);
    }
}

TEST_CASE("what the program places on its barrier wakes no part that waits") {
    for (const Way way : both_ways) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        const UniqueFd says(ends[0]);
        const UniqueFd output(ends[1]);
        int calls = 0;
        const SyncedSpawner spawner =
            with_part({.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
                       .arguments = {"places twice and says so"},
                       .streams = {.output = Stdio::descriptor(output.get())},
                       .readiness = {.hand_over = HandOver::barrier}},
                      [&](ParentSide& side) {
                          return ++calls == 1 ? side.wait_for(says.get()) : side.done();
                      });
        CHECK(text_after(way, spawner) == "no error");
        CHECK(calls == 2);
    }
}

// A launch that is late before its part has begun fails of something else, and is given more time.
TEST_CASE("the time of the setup counts for it, too") {
    const Event event;
    for (const Way way : both_ways) {
        SpawnError error;
        SpawnOptions options = endless;
        options.setup.abort_grace = 0ns;
        bool has_begun = false;
        std::chrono::milliseconds within = 8ms;
        while (!has_begun) {
            options.setup.within = within *= 2;
            const SyncedSpawner spawner = with_part(options, [&](ParentSide& side) {
                has_begun = true;
                return side.wait_for(event.fd());
            });
            CHECK_FALSE(way(spawner, error));
        }
        CHECK(std::string(error.what()) ==
              "the setup was not done within " + std::to_string(within.count()) +
                  " ms: the parent waits for descriptor " + std::to_string(event.fd()) +
                  " in 'x'; the program may have run");
        CHECK(error.cause() == Cause::timed_out);
        CHECK(error.side() == WhichSide::parent);
        CHECK(error.program_may_have_run());
    }
}

TEST_CASE("none begins after the time of the setup") {
    for (const Way way : both_ways) {
        bool has_begun = false;
        SyncedSpawner spawner([] {
            SpawnOptions options = endless;
            options.setup = {.within = 100ms, .abort_grace = 0ns};
            return options;
        }());
        spawner.step({.name = "x", .after_execve = [](ParentSide& side) {
                          std::this_thread::sleep_until(*side.deadline());
                      }});
        spawner.step({.name = "y", .after_execve = [&](ParentSide&) { has_begun = true; }});
        SpawnError error;
        CHECK_FALSE(way(spawner, error));
        CHECK(error.cause() == Cause::timed_out);
        CHECK_FALSE(has_begun);
    }
}

// What ends it.

TEST_CASE("the descriptor that cancels ends its wait") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        const Event event;
        const Event cancelled;
        SpawnOptions options = endless;
        options.setup.cancel_when_readable = cancelled.fd();
        SpawnError error;
        CHECK_FALSE(way(with_part(options,
                                  [&](ParentSide& side) {
                                      cancelled.signal();
                                      return side.wait_for(event.fd());
                                  }),
                        error));
        CHECK(error.cause() == Cause::cancelled);
        CHECK(error.step() == "x");
        CHECK(error.program_may_have_run());
    }
}

TEST_CASE("a launch whose part behind execve waits may be cancelled or dropped") {
    const NothingIsLeft nothing_is_left;
    const Event event;
    bool waits = false;
    int undone = 0;
    SyncedSpawner spawner(endless);
    spawner.step({.name = "x",
                  .after_execve =
                      [&](ParentSide& side) {
                          waits = true;
                          return side.wait_for(event.fd());
                      },
                  .undo = [&](ParentSide&) { ++undone; }});
    Launch launch = launch_until(spawner, waits);
    SUBCASE("cancelled") {
        launch.cancel();
        CHECK(end_of(launch) == "the launch was cancelled; the program may have run");
    }
    SUBCASE("dropped") { launch = Launch(); }
    CHECK(undone == 1);
}

TEST_CASE("the last of these parts may cancel its own launch") {
    const NothingIsLeft nothing_is_left;
    Launch launch;
    SyncedSpawner spawner = with_part(endless, [&](ParentSide&) { launch.cancel(); });
    launch = spawner.launch();
    CHECK(end_of(launch) == "the launch was cancelled; the program may have run");
}
