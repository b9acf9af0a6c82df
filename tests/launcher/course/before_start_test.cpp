#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/cgroup.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/ways_to_launch.hpp"

// Step::before_start: in the parent, before there is a child; and the cgroup that it may choose.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

const SpawnOptions program_true{.program = "true"};

SyncedSpawner with_part(SpawnOptions options, ParentPart part) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .before_start = std::move(part)});
    return spawner;
}

ParentPart noting(std::string& log, const char* event) {
    return [&log, event](ParentSide&) { log += event; };
}

}  // namespace

TEST_CASE("it runs once for each launch, before the child and before all other parts") {
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft nothing_is_left;
            std::string log;
            SpawnOptions options = program_true;
            options.birth.method = method;
            SyncedSpawner spawner(options);
            spawner.step({.name = "a",
                          .before_start =
                              [&](ParentSide& side) {
                                  log += "1";
                                  CHECK(side.child_pid() == -1);
                                  CHECK(side.child_pidfd() == -1);
                                  CHECK_FALSE(side.has_ended());
                                  CHECK(count_children() == 0);
                                  CHECK_THROWS_AS((void)side.take_standard_output(),
                                                  std::logic_error);
                                  side.state<std::string>() = "kept";
                              },
                          .child = shared_memory([](ChildSide&) {}),
                          .parent =
                              [&](ParentSide& side) {
                                  log += side.child_pid() > 0 ? "a" : "?";
                                  CHECK(side.state<std::string>() == "kept");
                              }});
            spawner.step({.name = "b", .before_start = noting(log, "2")});
            CHECK(text_after(way, spawner) == "no error");
            CHECK(text_after(way, spawner) == "no error");
            CHECK(log == "12a12a");
        }
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

TEST_CASE("the timeline has it, before the start") {
    const SyncedSpawner spawner = with_part(program_true, [](ParentSide&) {});
    const Process process = spawner.spawn();
    const std::string timeline = draw(process.timeline());
    CAPTURE(timeline);
    CHECK(timeline.find("x ...") < timeline.find("x: done"));
    CHECK(timeline.find("x: done") < timeline.find("starts the child"));
}

TEST_CASE("if it fails, nothing is started, and what came before is undone, last first") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        std::string log;
        SyncedSpawner spawner(program_true);
        spawner.step(
            {.name = "a", .before_start = noting(log, "a"), .undo = noting(log, "(undo a)")});
        spawner.step({.name = "b", .before_start = noting(log, "b"), .undo = [&](ParentSide& side) {
                          log += "(undo b)";
                          CHECK(side.child_pid() == -1);
                          return side.fail(EBUSY, "rmdir");
                      }});
        spawner.step({.name = "c",
                      .before_start = [](ParentSide& side) { return side.fail(EIO, "no"); },
                      .parent = noting(log, "never"),
                      .undo = noting(log, "(never)")});
        SpawnError error;
        CHECK_FALSE(way(spawner, error));
        CHECK(std::string(error.what()) ==
              "c in the parent: no: input/output error; undoing 'b' failed: rmdir: Device or "
              "resource busy");
        CHECK(error.stage() == Stage::step);
        CHECK(error.step() == "c");
        CHECK_FALSE(error.program_may_have_run());
        CHECK(error.child_pid() <= 0);
        CHECK(draw(error.timeline()).find("b: done") != std::string::npos);
        CHECK(log == "ab(undo b)(undo a)");
    }
}

TEST_CASE("an exception fails it, too") {
    CHECK(std::string(failure_of(with_part(program_true, [](ParentSide&) {
                          throw std::runtime_error("thrown");
                      })).what()) == "x in the parent: exception: thrown");
}

TEST_CASE("it is undone if the launch fails at any later time") {
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft nothing_is_left;
            std::string log;
            const auto text_of = [&](SpawnOptions options, Step further) {
                log.clear();
                options.birth.method = method;
                SyncedSpawner spawner(std::move(options));
                spawner.step(
                    {.name = "x", .before_start = noting(log, "x"), .undo = noting(log, "-")});
                spawner.step(std::move(further));
                return text_after(way, spawner);
            };
            const Step empty{.name = "e", .child = shared_memory([](ChildSide&) {})};
            CHECK(text_of({.program = "true", .streams = {.input = Stdio::descriptor(1000)}},
                          empty) == "prepare the launch: descriptor 1000: bad file descriptor");
            CHECK(log == "x-");
            CHECK(text_of(program_true, {.name = "y", .child = shared_memory([](ChildSide& side) {
                                                          return side.fail(EIO, "no");
                                                      })}) ==
                  "y in the child: no: input/output error");
            CHECK(log == "x-");
            CHECK(text_of(
                      program_true,
                      {.name = "y", .after_execve = [](ParentSide& side) {
                           return side.fail(EIO, "no");
                       }}) == "y in the parent: no: input/output error; the program may have run");
            CHECK(log == "x-");
            CHECK(text_of({.program = "/nowhere"}, empty).starts_with("execve"));
            CHECK(log == "x-");
            CHECK(text_of(program_true, empty) == "no error");
            CHECK(log == "x");
        }
    }
}

// Waiting.

TEST_CASE("it may wait, and then its step is undone, also if nothing was started yet") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        const Event event;
        std::string log;
        SyncedSpawner spawner = with_part(program_true, [&](ParentSide& side) {
            log += "x";
            if (log == "x") {
                std::thread([&] { event.signal(); }).detach();
            }
            return event.is_signalled() ? side.done() : side.wait_for(event.fd());
        });
        CHECK(text_after(way, spawner) == "no error");
        CHECK(log.starts_with("x"));
    }
}

TEST_CASE("the setup's deadline, the descriptor that cancels and cancel() end its wait") {
    const NothingIsLeft nothing_is_left;
    const Event never;
    std::string log;
    SpawnOptions options = program_true;
    const auto waiting = [&] {
        SyncedSpawner spawner(options);
        spawner.step({.name = "x",
                      .before_start = [&](ParentSide& side) { return side.wait_for(never.fd()); },
                      .undo = noting(log, "-")});
        return spawner;
    };
    for (const Way way : both_ways) {
        log.clear();
        options.setup = {.within = 1ms};
        const std::string late = text_after(way, waiting());
        CAPTURE(late);
        CHECK(late.find("the setup was not done within 1 ms: the parent waits for descriptor") !=
              std::string::npos);
        const Event cancels;
        options.setup = {.cancel_when_readable = cancels.fd()};
        cancels.signal();
        CHECK(text_after(way, waiting()) == "the launch was cancelled");
        options.setup = {.cancel_when_readable = 1000};
        CHECK(text_after(way, waiting()) ==
              "prepare the launch: descriptor 1000 that cancels: bad file descriptor");
        CHECK(log.size() <= 2);
        CHECK(log.starts_with("-"));
    }
    options.setup = {};
    log.clear();
    Launch launch = waiting().launch();
    CHECK_FALSE(launch.advance());
    CHECK_THROWS_AS((void)launch.take_standard_input(), std::logic_error);
    launch.cancel();
    CHECK(log.empty());
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
    SpawnError error;
    CHECK_FALSE(launch.take_process(error));
    CHECK(error.cause() == Cause::cancelled);
    CHECK(error.step() == "x");
    CHECK(log == "-");
}

TEST_CASE("a launch that is dropped while it waits is undone, but not in a copy of the process") {
    const NothingIsLeft nothing_is_left;
    const Event never;
    std::string log;
    SyncedSpawner spawner(program_true);
    spawner.step({.name = "x",
                  .before_start = [&](ParentSide& side) { return side.wait_for(never.fd()); },
                  .undo = noting(log, "-")});
    {
        Launch launch = spawner.launch();
        CHECK_FALSE(launch.advance());
        Peer copy([&] {
            bool is_refused = false;
            try {
                launch.advance();
            } catch (const std::logic_error&) {
                is_refused = true;
            }
            expect(is_refused);
            launch = Launch();
            expect(log.empty());
        });
        CHECK(copy.ending() == reached_the_end);
        CHECK(log.empty());
    }
    CHECK(log == "-");
}

TEST_CASE("a launch that was cancelled meanwhile is not undone in a copy of the process") {
    const NothingIsLeft nothing_is_left;
    const Event never;
    std::string log;
    SyncedSpawner spawner(program_true);
    spawner.step({.name = "x",
                  .before_start = [&](ParentSide& side) { return side.wait_for(never.fd()); },
                  .undo = noting(log, "-")});
    Launch launch = spawner.launch();
    CHECK_FALSE(launch.advance());
    launch.cancel();
    Peer copy([&] {
        launch = Launch();
        expect(log.empty());
    });
    CHECK(copy.ending() == reached_the_end);
    launch = Launch();
    CHECK(log == "-");
}

TEST_CASE("a run whose launch waits before the start goes on as soon as it may") {
    const NothingIsLeft nothing_is_left;
    const Event event;
    bool waits = false;
    SyncedSpawner spawner(shell("read line; echo \"got $line\""));
    spawner.step({.name = "x", .before_start = [&](ParentSide& side) {
                      waits = true;
                      return event.is_signalled() ? side.done() : side.wait_for(event.fd());
                  }});
    std::string input = "this\n";
    Run run(spawner, {.input = [&] { return std::exchange(input, ""); }});
    CHECK_FALSE(run.advance());
    CHECK(waits);
    CHECK_FALSE(run.advance());
    event.signal();
    while (!run.advance()) {
        await_event(run.descriptor());
    }
    CHECK(run.take_result().output == "got this\n");
}

// The cgroup.

namespace {

// A cgroup below another for each launch, which its step keeps.
struct Below {
    std::string path;
    UniqueFd directory;
    Below() = default;
    Below(const Below&) = delete;
    Below& operator=(const Below&) = delete;
    ~Below() { CHECK((path.empty() || access(path.c_str(), F_OK) < 0)); }
};

std::error_code remove_below(ParentSide& side) {
    auto& below = side.state<Below>();
    // A process that has ended may still be in it for a moment.
    const bool is_gone =
        comes_true([&] { return rmdir(below.path.c_str()) == 0 || errno == ENOENT; });
    return is_gone ? side.done() : side.fail("rmdir");
}

Step with_cgroup_of_its_own(const Cgroup& parent, std::vector<std::string>& made) {
    return {
        .name = "cgroup",
        .before_start =
            [&](ParentSide& side) {
                auto& below = side.state<Below>();
                below.path = parent.path() + "/" + std::to_string(made.size());
                made.push_back(below.path);
                if (mkdir(below.path.c_str(), 0755) < 0) {
                    return side.fail("mkdir");
                }
                below.directory.reset(open(below.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
                side.set_cgroup(below.directory.get());
                return side.done();
            },
        .after_end = remove_below,
        .undo = remove_below};
}

}  // namespace

TEST_CASE(
    "each launch is born into the cgroup that its step has made, which goes with the program") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    for (const Way way : both_ways) {
        for (const bool has_parts : {false, true}) {
            const NothingIsLeft nothing_is_left;
            std::vector<std::string> made;
            SyncedSpawner spawner({.program = "cat", .streams = {.input = Stdio::pipe()}});
            spawner.step(with_cgroup_of_its_own(cgroup, made));
            if (has_parts) {
                spawner.step({.name = "y", .child = shared_memory([](ChildSide&) {})});
            }
            SpawnError error;
            Process first = way(spawner, error);
            Process second = way(spawner, error);
            REQUIRE(second);
            CHECK(made.size() == 2);
            CHECK(read_file(made[0] + "/cgroup.procs") == std::to_string(first.pid()) + "\n");
            CHECK(read_file(made[1] + "/cgroup.procs") == std::to_string(second.pid()) + "\n");
            first.kill();
            CHECK(access(made[0].c_str(), F_OK) < 0);
            CHECK(access(made[1].c_str(), F_OK) == 0);
            second.kill();
            CHECK(first.after_end_failures().empty());
            CHECK(access(made[1].c_str(), F_OK) < 0);
        }
    }
}

TEST_CASE("the kill scope is the cgroup of the step, also for a launch that fails") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        std::vector<std::string> made;
        SpawnOptions options = shell("setsid sleep 1000 & echo; wait");
        options.streams.output = Stdio::pipe();
        options.ending.scope = KillScope::cgroup;
        SyncedSpawner spawner(options);
        spawner.step(with_cgroup_of_its_own(cgroup, made));
        SpawnError error;
        {
            Process process = way(spawner, error);
            REQUIRE(process);
            char byte = 0;
            CHECK(read(process.standard_output(), &byte, 1) == 1);
        }
        CHECK(access(made[0].c_str(), F_OK) < 0);
        spawner.step(
            {.name = "y", .after_execve = [](ParentSide& side) { return side.fail(EIO, "no"); }});
        CHECK(text_after(way, spawner) ==
              "y in the parent: no: input/output error; the program may have run");
        CHECK(access(made[1].c_str(), F_OK) < 0);
    }
}

TEST_CASE("a kill scope without a cgroup, or with one that is not open, fails the launch") {
    const NothingIsLeft nothing_is_left;
    SpawnOptions options = program_true;
    options.ending.scope = KillScope::cgroup;
    const SpawnError error = failure_of(options);
    CHECK(error.code() == std::error_code(EINVAL, std::generic_category()));
    CHECK(error.hint() ==
          "it takes a cgroup: `birth.cgroup`, or ParentSide::set_cgroup() in a step");
    CHECK(std::string(
              failure_of(with_part(program_true, [](ParentSide& side) { side.set_cgroup(1000); }))
                  .what()) ==
          "prepare the launch: descriptor 1000 of the cgroup: bad file descriptor");
}

TEST_CASE("only a part before the start chooses a cgroup, and only one does") {
    const UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto choose = [&](ParentSide& side) { side.set_cgroup(root.get()); };
    SyncedSpawner late(program_true);
    late.step({.name = "x", .parent = choose});
    CHECK(std::string(failure_of(late).what()) ==
          "x in the parent: exception: syncspawn::ParentSide: only a part before the start chooses "
          "the cgroup");
    SyncedSpawner twice = with_part(program_true, choose);
    twice.step({.name = "y", .before_start = choose});
    CHECK(std::string(failure_of(twice).what()) ==
          "y in the parent: exception: syncspawn::ParentSide: birth.cgroup, or another step, has "
          "chosen a cgroup already");
    CHECK(std::string(
              failure_of(with_part(program_true, [](ParentSide& side) { side.set_cgroup(-1); }))
                  .what()) ==
          "x in the parent: exception: syncspawn::ParentSide: a cgroup is a descriptor");
}
