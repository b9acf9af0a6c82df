#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ways_to_launch.hpp"

// Parts of the parent that are not done yet. What is true of both ways to launch is tried with both.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

const SpawnOptions program_true{.program = "true", .setup = {.abort_grace = 0ns}};

bool is_readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, 0) == 1;
}

SyncedSpawner with_parent(ParentPart part, SpawnOptions options = program_true) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .parent = std::move(part)});
    return spawner;
}

// "waits for descriptor N" in a part that is never done.
ParentPart never_done(const Event& event) {
    return [&event](ParentSide& side) { return side.wait_for(event.fd()); };
}

std::size_t count_in(const Timeline& timeline, const std::string& what) {
    return static_cast<std::size_t>(
        std::count_if(timeline.begin(), timeline.end(), [&](const TimelineEvent& event) {
            return event.side == WhichSide::parent && event.what == what;
        }));
}

}  // namespace

// Called again.

TEST_CASE("a part that waits is called again when its descriptor is readable") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        const Event event;
        int calls = 0;
        const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
            CHECK_FALSE(side.is_past_deadline());
            if (++calls == 1) {
                event.signal();
                return side.wait_for(event.fd());
            }
            return event.is_signalled() ? side.done() : side.fail("not signalled");
        });
        SpawnError error;
        CHECK(way(spawner, error).wait().success());
        CHECK(calls == 2);
    }
}

TEST_CASE("a part that waits is called again when its descriptor is hung up") {
    for (const Way way : both_ways) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        const UniqueFd read_end(ends[0]);
        UniqueFd write_end(ends[1]);
        const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
            return std::exchange(write_end, {}) ? side.wait_for(read_end.get()) : side.done();
        });
        CHECK(text_after(way, spawner) == "no error");
    }
}

TEST_CASE("a part that waits is called again when its deadline has passed, and can tell") {
    for (const Way way : both_ways) {
        const Event event;
        int calls = 0;
        const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
            const Deadline soon = std::chrono::steady_clock::now() + 1ms;
            CHECK(side.is_past_deadline() == (calls > 0));
            switch (++calls) {
                case 1:
                    return side.wait_for(event.fd(), soon);
                case 2:
                    return side.wait_until(soon);
                case 3:
                    return side.wait_until(Deadline());
                default:
                    return side.done();
            }
        });
        CHECK(text_after(way, spawner) == "no error");
        CHECK(calls == 4);
    }
}

TEST_CASE("a descriptor that is ready at the deadline is ready, and not too late") {
    for (const Way way : both_ways) {
        const Event event;
        event.signal();
        int calls = 0;
        const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
            CHECK_FALSE(side.is_past_deadline());
            return ++calls == 1 ? side.wait_for(event.fd(), Deadline()) : side.done();
        });
        CHECK(text_after(way, spawner) == "no error");
    }
}

TEST_CASE("a part may wait for the end of something that it has begun") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        const SyncedSpawner spawner = with_parent([](ParentSide& side) {
            auto& helper = side.state<Process>();
            if (!helper) {
                helper = SyncedSpawner({.program = "true"}).spawn();
            }
            const auto status = helper.try_wait();
            return status ? side.done() : side.wait_for(helper.pidfd());
        });
        CHECK(text_after(way, spawner) == "no error");
    }
}

// In an event loop.

TEST_CASE("parts of several launches wait at the same time in one event loop") {
    struct Member {
        Event event;
        bool waits = false;
        Launch launch;
    };
    std::array<Member, 3> members;
    std::size_t waiting = 0;
    for (Member& member : members) {
        member.launch =
            with_parent([&](ParentSide& side) {
                if (!std::exchange(member.waits, true)) {
                    ++waiting;
                }
                return member.event.is_signalled() ? side.done() : side.wait_for(member.event.fd());
            }).launch();
    }
    for (Member& member : members) {
        CHECK_FALSE(member.launch.advance());
        CHECK_FALSE(is_readable(member.event.fd()));
    }
    CHECK(waiting == members.size());
    for (const Member& member : members) {
        member.event.signal();
    }
    for (Member& member : members) {
        while (!member.launch.advance()) {
            await_event(member.launch.descriptor());
        }
        CHECK(member.launch.take_process().wait().success());
    }
}

TEST_CASE(
    "a part that waits is not called because somebody advances, or because the child goes on") {
    const Event event;
    int calls = 0;
    pid_t pid = -1;
    Launch launch = with_parent([&](ParentSide& side) {
                        ++calls;
                        pid = side.child_pid();
                        return event.is_signalled() ? side.done() : side.wait_for(event.fd());
                    }).launch();
    do {
        CHECK_FALSE(launch.advance());
    } while (!is_blocked_in_a_wait(pid));  // at the last rendezvous
    for (int times = 0; times < 3; ++times) {
        CHECK_FALSE(launch.advance());
    }
    CHECK(calls == 1);
    CHECK_FALSE(is_readable(launch.descriptor()));  // the child's place is not there for ever
    event.signal();
    await_event(launch.descriptor());
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    CHECK(calls == 2);
    CHECK(launch.take_process().wait().success());
}

TEST_CASE("a part that is always ready does not keep the event loop to itself") {
    int calls = 0;
    Launch launch = with_parent([&](ParentSide& side) {
                        return ++calls < 4 ? side.wait_until(Deadline()) : side.done();
                    }).launch();
    for (int passes = 1; passes < 4; ++passes) {
        CHECK_FALSE(launch.advance());
        CHECK(calls == passes);
        CHECK(is_readable(launch.descriptor()));
    }
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    CHECK(launch.take_process().wait().success());
}

// The event loop's set of descriptors would still be asked for the file that had this number before.
TEST_CASE("a part may close what it waited for, and wait for another of the same number") {
    const Event second;
    const int number = eventfd(0, EFD_CLOEXEC);
    int calls = 0;
    pid_t pid = -1;
    Launch launch = with_parent([&](ParentSide& side) {
                        pid = side.child_pid();
                        if (++calls == 2) {
                            dup3(second.fd(), number, O_CLOEXEC);
                        }
                        return calls > 2 ? side.done() : side.wait_for(number);
                    }).launch();
    CHECK_FALSE(launch.advance());
    eventfd_write(number, 1);
    while (calls < 2) {
        await_event(launch.descriptor());
        CHECK_FALSE(launch.advance());
    }
    do {
        CHECK_FALSE(launch.advance());
    } while (!is_blocked_in_a_wait(pid));  // which does not wake anybody any more
    CHECK_FALSE(launch.advance());
    CHECK_FALSE(is_readable(launch.descriptor()));
    second.signal();
    CHECK(is_readable(launch.descriptor()));
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    CHECK(launch.take_process().wait().success());
    close(number);
}

// Meanwhile the launch sees what happens.

TEST_CASE("a child that ends while the parent waits ends the wait") {
    const Event event;
    SyncedSpawner spawner(program_true);
    std::string text;
    SUBCASE("by a signal") {
        spawner.step(
            {.name = "y", .child = after_fork([](ChildSide&) { (void)kill(getpid(), SIGKILL); })});
        text = "the child was killed by SIGKILL in step 'y'";
    }
    SUBCASE("by an exit") {
        spawner.step({.name = "y", .child = after_fork([](ChildSide&) { _exit(7); })});
        text = "the child exited with code 7 in step 'y'";
    }
    SUBCASE("by a failure of its own") {
        spawner.step({.name = "y", .child = after_fork([](ChildSide& side) {
                                       return side.fail(ENOENT, "mount");
                                   })});
        text = "y in the child: mount: no such file or directory";
    }
    SUBCASE("also of a part that is ready again and again") {
        event.signal();
        spawner.step({.name = "y", .child = after_fork([](ChildSide&) { _exit(7); })});
        text = "the child exited with code 7 in step 'y'";
    }
    spawner.step({.name = "x", .parent = never_done(event)});
    for (const Way way : both_ways) {
        CHECK(text_after(way, spawner) == text);
        CHECK(count_children() == 0);
    }
}

TEST_CASE("a child that is killed at the next rendezvous while the parent waits is told so") {
    for (const Way way : both_ways) {
        const Event event;
        const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
            if (!is_blocked_in_a_wait(side.child_pid())) {
                return side.fail("no wait");
            }
            (void)kill(side.child_pid(), SIGKILL);
            return side.wait_for(event.fd());
        });
        CHECK(text_after(way, spawner) ==
              "the child was killed by SIGKILL at the rendezvous 'ready to exec'");
    }
}

// A launch that is late before its part has begun fails of something else, and is given more time.
TEST_CASE("the setup timeout ends a wait, and names what the parent waits for") {
    const Event event;
    ParentPart part;
    std::string what;
    SUBCASE("a descriptor") {
        part = never_done(event);
        what = "descriptor " + std::to_string(event.fd());
    }
    SUBCASE("a time") {
        part = [](ParentSide& side) { return side.wait_until(Deadline::max()); };
        what = "a time that it named";
    }
    SUBCASE("one that passes again and again") {
        part = [](ParentSide& side) { return side.wait_until(Deadline()); };
        what = "a time that it named";
    }
    for (const Way way : both_ways) {
        SpawnError error;
        SpawnOptions options = program_true;
        bool has_begun = false;
        std::chrono::milliseconds within = 8ms;
        while (!has_begun) {
            options.setup.within = within *= 2;
            CHECK_FALSE(way(with_parent(
                                [&](ParentSide& side) {
                                    has_begun = true;
                                    return part(side);
                                },
                                options),
                            error));
        }
        CHECK(std::string(error.what()) == "the setup was not done within " +
                                               std::to_string(within.count()) +
                                               " ms: the parent waits for " + what + " in 'x'");
        CHECK(error.side() == WhichSide::parent);
        CHECK(error.step() == "x");
        CHECK(error.cause() == Cause::timed_out);
        CHECK_FALSE(error.program_may_have_run());
    }
}

TEST_CASE("a wait is cancelled by the descriptor that cancels") {
    for (const Way way : both_ways) {
        const Event event;
        const Event cancelled;
        SpawnOptions options = program_true;
        options.setup.cancel_when_readable = cancelled.fd();
        const SyncedSpawner spawner = with_parent(
            [&](ParentSide& side) {
                cancelled.signal();
                return side.wait_for(event.fd());
            },
            options);
        SpawnError error;
        CHECK_FALSE(way(spawner, error));
        CHECK(error.cause() == Cause::cancelled);
        CHECK(error.side() == WhichSide::parent);
        CHECK(error.step() == "x");
    }
}

TEST_CASE("a launch whose part waits may be cancelled or dropped") {
    const NothingIsLeft nothing_is_left;
    const Event event;
    int undone = 0;
    SyncedSpawner spawner(program_true);
    spawner.step(
        {.name = "x", .parent = never_done(event), .undo = [&](ParentSide&) { ++undone; }});
    Launch launch = spawner.launch();
    CHECK_FALSE(launch.advance());
    SUBCASE("cancelled") {
        launch.cancel();
        while (!launch.advance()) {
            await_event(launch.descriptor());
        }
        SpawnError error;
        CHECK_FALSE(launch.take_process(error));
        CHECK(std::string(error.what()) == "the launch was cancelled");
    }
    SUBCASE("dropped") { launch = Launch(); }
    CHECK(undone == 1);
}

TEST_CASE("a launch that its own undo cancels keeps the error that it had") {
    Launch launch;
    pid_t pid = -1;
    SyncedSpawner spawner(program_true);
    spawner.step({.name = "x",
                  .parent = [&](ParentSide& side) { pid = side.child_pid(); },
                  .undo =
                      [&](ParentSide& side) {
                          launch.cancel();
                          return side.fail(EBUSY, "rmdir");
                      }});
    spawner.step({.name = "y", .parent = [](ParentSide& side) { return side.fail(EIO, "z"); }});
    launch = spawner.launch();
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    SpawnError error;
    CHECK_FALSE(launch.take_process(error));
    CHECK(error.child_pid() == pid);
    CHECK(std::string(error.what()) ==
          "y in the parent: z: input/output error; undoing 'x' failed: rmdir: Device or resource "
          "busy");
}

TEST_CASE("a part that advances its own launch is told so") {
    Launch launch;
    const SyncedSpawner spawner = with_parent([&](ParentSide&) { (void)launch.advance(); });
    launch = spawner.launch();
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    SpawnError error;
    CHECK_FALSE(launch.take_process(error));
    CHECK(std::string(error.what()) ==
          "x in the parent: exception: syncspawn::Launch: a part of the parent cannot advance its "
          "own launch");
}

// State, and what is undone.

namespace {

struct Counted {
    static inline int alive = 0;
    int calls = 0;
    Counted() { ++alive; }
    ~Counted() { --alive; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
};

}  // namespace

TEST_CASE("each launch has a state of its own, until it is over") {
    const Event event;
    const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
        const bool is_first = side.state<Counted>().calls++ == 0;
        return is_first ? side.wait_for(event.fd()) : side.done();
    });
    Launch launches[] = {spawner.launch(), spawner.launch()};
    for (Launch& launch : launches) {
        CHECK_FALSE(launch.advance());
    }
    CHECK(Counted::alive == 2);
    event.signal();
    for (Launch& launch : launches) {
        while (!launch.advance()) {
            await_event(launch.descriptor());
        }
    }
    CHECK(Counted::alive == 0);
    for (Launch& launch : launches) {
        CHECK(launch.take_process().wait().success());
    }
}

TEST_CASE("each step has a state of its own, which its undo sees") {
    for (const Way way : both_ways) {
        SyncedSpawner spawner(program_true);
        std::vector<int> seen;
        for (const int number : {1, 2}) {
            spawner.step({.name = "x",
                          .parent = [=](ParentSide& side) { side.state<int>() += number; },
                          .undo = [&](ParentSide& side) { seen.push_back(side.state<int>()); }});
        }
        spawner.step({.name = "y", .parent = [](ParentSide& side) { return side.fail(EIO, "z"); }});
        CHECK(text_after(way, spawner) == "y in the parent: z: input/output error");
        CHECK(seen == std::vector{2, 1});
    }
}

TEST_CASE("a state is destroyed behind the undo that uses it") {
    SyncedSpawner spawner(program_true);
    spawner.step({.name = "x",
                  .parent = [](ParentSide& side) { (void)side.state<Counted>(); },
                  .undo = [](ParentSide&) { CHECK(Counted::alive == 1); }});
    spawner.step({.name = "y", .parent = [](ParentSide& side) { return side.fail(EIO, "z"); }});
    (void)failure_of(spawner);
    CHECK(Counted::alive == 0);
}

// The later may rest on the earlier: what is mounted in a directory goes before the directory.
TEST_CASE(
    "what the steps did and what they keep is taken back last first, with an undo or without") {
    static std::vector<std::string> seen;
    struct Kept {
        int number = 0;
        ~Kept() { seen.push_back("state " + std::to_string(number)); }
    };
    std::vector<std::string> expected{"state 4", "undo 3", "state 3",
                                      "state 2", "undo 1", "state 1"};
    int last = EIO;
    SUBCASE("where the last part fails at once") {}
    SUBCASE("where the launch succeeds, which undoes nothing") {
        last = 0;
        expected = {"state 4", "state 3", "state 2", "state 1"};
    }
    for (const Way way : both_ways) {
        seen.clear();
        SyncedSpawner spawner(program_true);
        for (const int number : {1, 2, 3, 4}) {
            Step step{.name = "x", .parent = [=](ParentSide& side) {
                          side.state<Kept>().number = number;
                          return number == 4 && last != 0 ? side.fail(last, "z") : side.done();
                      }};
            if (number % 2 != 0) {
                step.undo = [=](ParentSide&) { seen.push_back("undo " + std::to_string(number)); };
            }
            spawner.step(std::move(step));
        }
        (void)text_after(way, spawner);
        CHECK(seen == expected);
    }
}

TEST_CASE(
    "a step that has begun to wait is undone even if its part fails; else only after success") {
    const Event event;
    event.signal();
    int waits = 0;
    SUBCASE("at once") { waits = 0; }
    SUBCASE("after two waits") { waits = 2; }
    for (const Way way : both_ways) {
        int undone = 0;
        int calls = 0;
        SyncedSpawner spawner(program_true);
        spawner.step({.name = "x",
                      .parent =
                          [&](ParentSide& side) {
                              return calls++ < waits ? side.wait_for(event.fd())
                                                     : side.fail(EIO, "open");
                          },
                      .undo = [&](ParentSide&) { ++undone; }});
        CHECK(text_after(way, spawner) == "x in the parent: open: input/output error");
        CHECK(undone == (waits > 0 ? 1 : 0));
    }
}

// Shown, and misused.

TEST_CASE("a wait is a line of the timeline, however often the part looks again") {
    for (const Way way : both_ways) {
        const Event event;
        event.signal();
        int calls = 0;
        const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
            return ++calls < 4  ? side.wait_for(event.fd())
                   : calls == 4 ? side.wait_until(Deadline())
                                : side.done();
        });
        SpawnError error;
        const Process process = way(spawner, error);
        REQUIRE(process);
        const Timeline timeline = process.timeline();
        CHECK(count_in(timeline, "x: waits for descriptor " + std::to_string(event.fd())) == 1);
        CHECK(count_in(timeline, "x: waits for a time that it named") == 1);
        CHECK(count_in(timeline, "x: done") == 1);
    }
}

TEST_CASE("a part that waits for this and for that without end does not fill the timeline") {
    const Event event;
    event.signal();
    int calls = 0;
    const SyncedSpawner spawner = with_parent([&](ParentSide& side) {
        if (++calls == 1000) {
            return side.done();
        }
        return calls % 2 != 0 ? side.wait_for(event.fd()) : side.wait_until(Deadline());
    });
    CHECK(spawner.spawn().timeline().size() < 200);
}

TEST_CASE("a misuse of the wait is an error that names the step") {
    std::error_code kept;
    ParentPart part;
    std::string text;
    SUBCASE("no descriptor") {
        part = [](ParentSide& side) { return side.wait_for(-1); };
        text = "wait_for: bad file descriptor";
    }
    SUBCASE("a descriptor that is not open") {
        part = [](ParentSide& side) { return side.wait_for(987'654, Deadline()); };
        text = "wait_for: bad file descriptor";
    }
    SUBCASE("the answer of another call") {
        part = [&](ParentSide& side) { return kept ? kept : kept = side.wait_until(Deadline()); };
        text = "it asked to be called again where nothing calls it: operation canceled";
    }
    SUBCASE("a state of two types") {
        part = [](ParentSide& side) {
            side.state<int>() = 1;
            side.state<long>() = 1;
        };
        text = "exception: syncspawn::ParentSide: the state of a step has one type";
    }
    for (const Way way : both_ways) {
        kept.clear();
        CHECK(text_after(way, with_parent(part)) == "x in the parent: " + text);
    }
}

TEST_CASE("an undo cannot wait") {
    SyncedSpawner spawner(program_true);
    spawner.step({.name = "x",
                  .parent = [](ParentSide&) {},
                  .undo = [](ParentSide& side) { return side.wait_until(Deadline()); }});
    spawner.step({.name = "y", .parent = [](ParentSide& side) { return side.fail(EIO, "z"); }});
    CHECK(std::string(failure_of(spawner).what()) ==
          "y in the parent: z: input/output error; undoing 'x' failed: it asked to be called again "
          "where nothing calls it");
}
