#include <syncspawn/launcher/step.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// What both sides did, in the order in which they did it. One character for each event.
struct Log {
    std::atomic<unsigned> size{0};
    char events[64] = {};

    void note(char event) noexcept { events[size++ % sizeof events] = event; }
    std::string text() const { return {events, size}; }
};

// Only the events of one side.
std::string filtered(const std::string& text, const std::string& events) {
    std::string found;
    for (const char event : text) {
        found += events.find(event) != std::string::npos ? std::string(1, event) : "";
    }
    return found;
}

SyncedSpawner spawner_of_true() { return SyncedSpawner({.program = "true"}); }

// Adds a step that notes the given characters; the child's part in lower case.
void add_noting(SyncedSpawner& spawner, const Shared<Log>& log, char event, StepOrder order) {
    const char upper = static_cast<char>(event - 'a' + 'A');
    Log* const shared = &*log;
    spawner.step({.name = std::string(1, event),
                  .child = async_signal_safe([=](ChildSide&) { shared->note(event); }),
                  .parent = [=](ParentSide&) { shared->note(upper); },
                  .order = order});
}

std::error_code refuses(ParentSide& side) { return side.fail(EACCES, "no"); }

std::string refusal_of(Step step, Namespaces namespaces = Namespaces::none) {
    try {
        SyncedSpawner({.program = "true", .birth = {.namespaces = namespaces}})
            .step(std::move(step));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("a step that can never work is refused with the rule it breaks") {
    CHECK(refusal_of({.name = "", .parent = [](ParentSide&) {}}) ==
          "syncspawn: a step must have a name");
    CHECK(refusal_of({.name = "x"}) == "syncspawn: step 'x' has no part");
    CHECK(refusal_of({.name = "x", .child = after_fork([](ChildSide&) {}), .undo = [](ParentSide&) {
                      }}) == "syncspawn: step 'x' has an undo but no parent part to take back");
    CHECK(refusal_of({.name = "x", .child = after_fork([](ChildSide&) {})}, Namespaces::uts) ==
          "syncspawn: step 'x': with namespaces at birth the child is not started by fork, so a "
          "child part must be ChildRules::async_signal_safe or shared_memory");
    CHECK(refusal_of({.name = "x", .child = async_signal_safe([](ChildSide&) {})},
                     Namespaces::uts) == "accepted");
    CHECK_THROWS_AS(spawner_of_true().rendezvous(""), std::invalid_argument);
}

TEST_CASE("the parts of each side run in the order in which they were added") {
    const Shared<Log> log;
    SyncedSpawner spawner = spawner_of_true();
    for (const char event : {'a', 'b', 'c', 'd'}) {
        add_noting(spawner, log, event, StepOrder::together);
    }
    CHECK(spawner.spawn().wait().success());
    CHECK(filtered(log->text(), "abcd") == "abcd");
    CHECK(filtered(log->text(), "ABCD") == "ABCD");
}

TEST_CASE("of a step that says child_first the parent's part begins after the child's") {
    const Shared<Log> log;
    SyncedSpawner spawner = spawner_of_true();
    add_noting(spawner, log, 'a', StepOrder::child_first);
    CHECK(spawner.spawn().wait().success());
    CHECK(log->text() == "aA");
}

TEST_CASE("of a step that says parent_first the child's part begins after the parent's") {
    const Shared<Log> log;
    SyncedSpawner spawner = spawner_of_true();
    add_noting(spawner, log, 'a', StepOrder::parent_first);
    CHECK(spawner.spawn().wait().success());
    CHECK(log->text() == "Aa");
}

TEST_CASE("orders that alternate are all kept") {
    const Shared<Log> log;
    SyncedSpawner spawner = spawner_of_true();
    for (char event = 'a'; event <= 'f'; ++event) {
        const bool is_even = (event - 'a') % 2 == 0;
        add_noting(spawner, log, event, is_even ? StepOrder::child_first : StepOrder::parent_first);
    }
    CHECK(spawner.spawn().wait().success());
    CHECK(log->text() == "aABbcCDdeEFf");
}

TEST_CASE("parts that run together can wait for each other") {
    // Neither part could end if one had to wait for the other to begin.
    const Shared<std::atomic<int>> there;
    std::atomic<int>* const count = &*there;
    const auto meet = [count](auto& side) {
        for (count->fetch_add(1); count->load() < 2;) {
            usleep(100);
        }
        return side.done();
    };
    SyncedSpawner spawner = spawner_of_true();
    spawner.step({.name = "meet", .child = after_fork(meet), .parent = meet});
    CHECK(spawner.spawn().wait().success());
}

TEST_CASE("a rendezvous holds the parent until the child is there") {
    // The child goes on only when the parent is seen asleep in a wait of the barrier, and it notes
    // its event after that.
    const Shared<Log> log;
    const pid_t parent = gettid();
    SyncedSpawner spawner = spawner_of_true();
    spawner.step({.name = "late", .child = after_fork([&, parent](ChildSide& side) {
                                      const bool waits = is_blocked_in_a_wait(parent);
                                      log->note('a');
                                      return waits ? side.done() : side.fail(ETIME, "parent");
                                  })});
    spawner.rendezvous("both").step(
        {.name = "after", .parent = [&](ParentSide&) { log->note('A'); }});
    CHECK(spawner.spawn().wait().success());
    CHECK(log->text() == "aA");
}

TEST_CASE("a rendezvous holds the child until the parent is there") {
    const Shared<Log> log;
    SyncedSpawner spawner = spawner_of_true();
    spawner.step({.name = "late", .parent = [&](ParentSide& side) {
                      const bool waits = is_blocked_in_a_wait(side.child_pid());
                      log->note('A');
                      return waits ? side.done() : side.fail(ETIME, "child");
                  }});
    spawner.rendezvous("both").step(
        {.name = "after", .child = after_fork([&](ChildSide&) { log->note('a'); })});
    CHECK(spawner.spawn().wait().success());
    CHECK(log->text() == "Aa");
}

TEST_CASE("the program does not run before the last part of the parent has ended") {
    SpawnOptions options = shell("echo program >&3");
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    options.descriptors.passed = {{write_end.get(), 3}};
    SyncedSpawner spawner(options);
    spawner.step({.name = "late", .parent = [&](ParentSide& side) {
                      const bool waits = is_blocked_in_a_wait(side.child_pid());
                      return waits && write(write_end.get(), "parent ", 7) == 7
                                 ? side.done()
                                 : side.fail("write");
                  }});
    CHECK(spawner.spawn().wait().success());
    write_end.reset();
    CHECK(read_all(read_end.get()) == "parent program\n");
}

TEST_CASE("the parts know their child, its pidfd, the parent's and the deadline") {
    SyncedSpawner spawner({.program = "true", .setup = {.within = std::chrono::hours(1)}});
    const Shared<pid_t> pid;
    spawner.step({.name = "look",
                  .child = after_fork([&](ChildSide& side) {
                      *pid = getpid();
                      return side.parent_pidfd() >= 0 ? side.done() : side.fail(EBADF, "pidfd");
                  }),
                  .parent =
                      [&](ParentSide& side) {
                          const bool good = side.child_pid() == *pid && side.child_pidfd() >= 0 &&
                                            side.deadline() > std::chrono::steady_clock::now();
                          return good ? side.done() : side.fail(EINVAL, "side");
                      },
                  .order = StepOrder::child_first});
    Process process = spawner.spawn();
    CHECK(process.pid() == *pid);
    CHECK(process.wait().success());
}

TEST_CASE("a descriptor that a step declares is open in its part, and not in the program") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const int fd = write_end.get();
    SyncedSpawner spawner(shell("test ! -e /proc/self/fd/" + std::to_string(fd)));
    const auto writes = after_fork([fd](ChildSide& side) {
        return write(fd, "x", 1) == 1 ? side.done() : side.fail("write");
    });
    SUBCASE("declared") {
        spawner.step({.name = "write", .child = writes, .descriptors = {fd}});
        CHECK(spawner.spawn().wait().success());
        write_end.reset();
        CHECK(read_all(read_end.get()) == "x");
    }
    SUBCASE("not declared: it is closed") {
        spawner.step({.name = "write", .child = writes});
        CHECK(std::string(failure_of(spawner).what()) ==
              "write in the child: write: bad file descriptor");
    }
}

TEST_CASE("a child part may replace arguments and environment") {
    static constexpr std::array arguments{"sh", "-c",  "echo $1 $NAME",
                                          "sh", "one", static_cast<const char*>(nullptr)};
    static constexpr std::array environment{"NAME=value", static_cast<const char*>(nullptr)};
    for (const StartMethod start : {StartMethod::automatic, StartMethod::copied_memory}) {
        SyncedSpawner spawner({.program = "/bin/sh",
                               .streams = {.output = Stdio::pipe()},
                               .birth = {.method = start}});
        spawner.step({.name = "replace", .child = shared_memory([](ChildSide& side) {
                                             side.replace_arguments(arguments.data());
                                             side.replace_environment(environment.data());
                                         })});
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "one value\n");
        CHECK(process.wait().success());
    }
}

TEST_CASE("an environment that a part replaces cannot carry a barrier") {
    static constexpr std::array environment{static_cast<const char*>(nullptr)};
    SyncedSpawner spawner({.program = "true", .readiness = {.hand_over = HandOver::barrier}});
    spawner.step({.name = "replace", .child = after_fork([](ChildSide& side) {
                                         side.replace_environment(environment.data());
                                     })});
    const SpawnError error = failure_of(spawner);
    CHECK(error.code() == std::errc::invalid_argument);
    CHECK(error.stage() == Stage::descriptors);
    CHECK(error.detail() == "a part has replaced the environment");
}

TEST_CASE("every part of a step may own what it works with, such as a descriptor") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    UniqueFd parents(dup(ends[1]));
    UniqueFd undos(dup(ends[1]));
    const int childs = ends[1];
    const auto writing = [](UniqueFd fd, const char* text) {
        return [fd = std::move(fd), text](auto& side) {
            return write(fd.get(), text, 1) == 1 ? side.done() : side.fail("write");
        };
    };
    {
        SyncedSpawner spawner({.program = "/nowhere"});
        spawner.step({.name = "write",
                      .child = after_fork(writing(std::move(write_end), "c")),
                      .parent = writing(std::move(parents), "p"),
                      .order = StepOrder::child_first,
                      .undo = writing(std::move(undos), "u"),
                      .descriptors = {childs}});
        const SyncedSpawner copy = spawner;
        CHECK(failure_of(spawner).stage() == Stage::execve);
        CHECK(failure_of(copy).stage() == Stage::execve);
    }
    // The end of file comes only when each has let go of its own.
    CHECK(read_all(read_end.get()) == "cpucpu");
}

TEST_CASE("what is no callable at all is no part") {
    std::error_code (*const pointer)(ParentSide&) = nullptr;
    CHECK_FALSE(ParentPart(pointer));
    CHECK_FALSE(ParentPart(std::function<void(ParentSide&)>()));
    CHECK_FALSE(ParentPart());
    CHECK(ParentPart(std::function<void(ParentSide&)>([](ParentSide&) {})));
    CHECK(ParentPart(refuses));
    SyncedSpawner spawner = spawner_of_true();
    spawner.step({.name = "x", .parent = refuses});
    CHECK(failure_of(spawner).code() == std::errc::permission_denied);
}

TEST_CASE("a copy of a spawner shares its parts, and takes further steps of its own") {
    int calls = 0;
    SyncedSpawner spawner = spawner_of_true();
    spawner.step(
        {.name = "count", .parent = [&calls, count = 0](ParentSide&) mutable { calls = ++count; }});
    CHECK(spawner.spawn().wait().success());
    SyncedSpawner copy = spawner;
    copy.step({.name = "refuse", .parent = refuses});
    CHECK(failure_of(copy).step() == "refuse");
    CHECK(calls == 2);
    CHECK(spawner.spawn().wait().success());
    CHECK(calls == 3);
    copy = spawner;
    CHECK(copy.spawn().wait().success());
    CHECK(calls == 4);
}

TEST_CASE("a step that is added after a launch is part of the next one") {
    SyncedSpawner spawner = spawner_of_true();
    CHECK(spawner.spawn().wait().success());
    Launch begun_before = spawner.launch();
    spawner.step({.name = "refuse", .parent = refuses});
    CHECK(failure_of(spawner).step() == "refuse");
    while (!begun_before.advance()) {
    }
    CHECK(begun_before.take_process().wait().success());
}

TEST_CASE("several threads may be the first to launch at once") {
    const SyncedSpawner spawner = spawner_of_true();
    std::atomic<int> waiting{4};
    std::atomic<int> succeeded{0};
    std::vector<std::thread> threads;
    for (int count = waiting; count > 0; --count) {
        threads.emplace_back([&] {
            for (--waiting; waiting > 0;) {
                std::this_thread::yield();
            }
            succeeded += spawner.spawn().wait().success() ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(succeeded == 4);
}

// Were each step to cost as much as all before it, this would take hours, and the watchdog would bite.
TEST_CASE("a step costs the same however many there are already") {
    SyncedSpawner spawner = spawner_of_true();
    for (int count = 0; count < 50'000; ++count) {
        spawner.step({.name = "x", .parent = [](ParentSide&) {}});
        spawner.rendezvous("y");
    }
    spawner.step({.name = "last", .parent = refuses});
    CHECK_THROWS_AS(spawner.step({.name = ""}), std::invalid_argument);
}
