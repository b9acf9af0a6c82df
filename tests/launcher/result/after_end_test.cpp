#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared_memory.hpp"
#include "support/ways_to_launch.hpp"

// Step::after_end: in the parent, once the program has been reaped.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// Notes its end.
struct Kept {
    std::string* log = nullptr;
    Kept() = default;
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    ~Kept() {
        if (log != nullptr) {
            *log += "~";
        }
    }
};

// Two steps that note what is called, and keep something.
SyncedSpawner noting(SpawnOptions options, std::string& log) {
    SyncedSpawner spawner(std::move(options));
    for (const char* const name : {"a", "b"}) {
        spawner.step({.name = name,
                      .parent = [&log](ParentSide& side) { side.state<Kept>().log = &log; },
                      .after_end =
                          [&log, name](ParentSide& side) {
                              log += side.state<Kept>().log == &log ? name : "?";
                              CHECK(side.has_ended());
                              CHECK(side.child_pid() > 0);
                              CHECK(side.child_pidfd() == -1);
                          },
                      .undo = [&log](ParentSide&) { log += "-"; }});
    }
    return spawner;
}

const SpawnOptions program_true{.program = "true"};
const SpawnOptions endless{.program = "sleep", .arguments = {"1000"}};

}  // namespace

TEST_CASE("it runs when the program has been reaped, last step first, and its state ends then") {
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft nothing_is_left;
            std::string log;
            SpawnOptions options = program_true;
            options.birth.method = method;
            SpawnError error;
            Process process = way(noting(options, log), error);
            REQUIRE(process);
            CHECK(log.empty());
            CHECK(process.wait().success());
            CHECK(log == "b~a~");
            CHECK(process.wait().success());
            CHECK(log == "b~a~");
            CHECK(process.after_end_failures().empty());
        }
    }
}

TEST_CASE("it runs whatever reaps the program") {
    const NothingIsLeft nothing_is_left;
    std::string log;
    const auto after = [&](const SpawnOptions& options, auto reap) {
        log.clear();
        Process process = noting(options, log).spawn();
        reap(process);
        return std::exchange(log, "");
    };
    CHECK(after(endless, [](Process& process) {
              CHECK_FALSE(process.try_wait());
              CHECK_FALSE(process.wait_for(0ns));
              process.signal(SIGKILL);
              await_event(process.pidfd());
              CHECK(process.try_wait());
          }) == "b~a~");
    CHECK(after(endless, [](Process& process) { process.kill(); }) == "b~a~");
    CHECK(after(endless, [](Process& process) { process.terminate(1h); }) == "b~a~");
    CHECK(after(endless, [](Process& process) { process.stop({Stop::kill()}); }) == "b~a~");
    CHECK(after(endless, [](Process& process) {
              process.stop({Stop::wait(0ns)});
              process = Process();
          }) == "b~a~");
    CHECK(after(program_true, [](Process& process) { CHECK(process.wait_for(1h)); }) == "b~a~");
    CHECK(after(endless, [](Process& process) { const Process ended = std::move(process); }) ==
          "b~a~");
    CHECK(after(program_true, [](Process& process) {
              ProcessSet set;
              set.add(std::move(process));
              CHECK(set.wait_any().wait().success());
          }) == "b~a~");
    CHECK(after(program_true, [](Process& process) {
              // By somebody else.
              CHECK(waitpid(process.pid(), nullptr, 0) == process.pid());
              CHECK(process.wait().kind() == ExitStatus::Kind::unknown);
          }) == "b~a~");
}

TEST_CASE("run() runs it, and tells what went wrong in it") {
    const NothingIsLeft nothing_is_left;
    std::string log;
    SyncedSpawner spawner = noting(program_true, log);
    spawner.step(
        {.name = "bad", .after_end = [](ParentSide& side) { return side.fail(EBUSY, "rmdir"); }});
    const RunResult result = run(spawner);
    CHECK(result.success());
    CHECK(log == "b~a~");
    CHECK(result.stages.at(0).after_end_failures ==
          "'bad' failed after the end: rmdir: Device or resource busy");
}

TEST_CASE("one that fails keeps no other from running, and is told") {
    std::string log;
    SyncedSpawner spawner(program_true);
    spawner.step({.name = "a", .after_end = [&](ParentSide&) { log += "a"; }});
    spawner.step({.name = "b", .after_end = [](ParentSide& side) { return side.fail(EIO, "no"); }});
    spawner.step(
        {.name = "c", .after_end = [](ParentSide&) { throw std::runtime_error("thrown"); }});
    spawner.step(
        {.name = "d", .after_end = [](ParentSide& side) { return side.wait_until(Deadline()); }});
    Process process = spawner.spawn();
    CHECK(process.after_end_failures().empty());
    CHECK(process.wait().success());
    CHECK(log == "a");
    CHECK(
        process.after_end_failures() ==
        "'d' failed after the end: it asked to be called again where nothing calls it; 'c' failed "
        "after the end: thrown; 'b' failed after the end: no: Input/output error");
    // Nobody is told by a destructor, which throws nothing.
    CHECK(spawner.spawn());
}

TEST_CASE("of a launch that fails the steps are undone instead") {
    for (const Way way : both_ways) {
        const NothingIsLeft nothing_is_left;
        std::string log;
        SyncedSpawner spawner = noting(program_true, log);
        spawner.step(
            {.name = "x", .after_execve = [](ParentSide& side) { return side.fail(EIO, "no"); }});
        CHECK(text_after(way, spawner) ==
              "x in the parent: no: input/output error; the program may have run");
        CHECK(log == "-~-~");
    }
}

TEST_CASE("a Process that gives its program up just forgets it") {
    std::string log;
    Process process = noting(endless, log).spawn();
    const pid_t pid = process.release();
    CHECK(log == "~~");
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    log.clear();
    SpawnOptions lasting = endless;
    lasting.ending.stop = {};
    Process runs_on = noting(lasting, log).spawn();
    const pid_t runs_on_as = runs_on.pid();
    runs_on = Process();
    CHECK(log == "~~");
    kill(runs_on_as, SIGKILL);
    waitpid(runs_on_as, nullptr, 0);
}

TEST_CASE("the copy of a Process in a forked child does not run it") {
    const NothingIsLeft nothing_is_left;
    std::string log;
    Process process = noting(endless, log).spawn();
    Peer copy([&] {
        process = Process();
        expect(log == "~~");
    });
    CHECK(copy.ending() == reached_the_end);
    process.kill();
    CHECK(log == "b~a~");
}

TEST_CASE("a part may ask for the status, and a step may have this part alone") {
    ExitStatus seen;
    Process process;
    SyncedSpawner spawner(shell("exit 3"));
    spawner.step({.name = "x", .after_end = [&](ParentSide&) { seen = process.wait(); }});
    process = spawner.spawn();
    CHECK(process.wait().code() == 3);
    CHECK(seen.code() == 3);
}
