#include <syncspawn/launcher/launch.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launch_ends.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

// A launch that an event loop drives: it ends as one that waits by itself, never blocks, and can be given
// up at any time.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string helper(const std::string& name) { return SYNCSPAWN_TEST_HELPERS "/" + name; }

// Goes on only when the descriptor says so. A launch that forgets to say it hangs, and the watchdog of
// the program ends that.
void drive(Launch& launch) {
    while (!launch.advance()) {
        await_event(launch.descriptor());
    }
}

SpawnError error_of(Launch& launch) {
    drive(launch);
    SpawnError error;
    const Process process = launch.take_process(error);
    return error;
}

class Pipe {
public:
    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            throw std::system_error(errno, std::generic_category(), "pipe2");
        }
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
    UniqueFd read_end;
    UniqueFd write_end;
};

class HeldLaunch : public HeldLaunchBase {
public:
    using HeldLaunchBase::HeldLaunchBase;
    // Returns when the child is in that part, and the parent waits for it.
    Launch launch() {
        Launch launch = spawner().launch();
        CHECK_FALSE(launch.advance());
        REQUIRE(is_held());
        return launch;
    }
};

SpawnOptions program_true(StartMethod method) {
    return {.program = "true", .birth = {.method = method}};
}

// Goes on until the program, the helper, sleeps: the end of execve can be seen by then.
void drive_until_program_sleeps(Launch& launch, pid_t pid) {
    const std::string comm = "/proc/" + std::to_string(pid) + "/comm";
    while (read_file(comm) != "launch_readines\n") {  // as much of the name as there is room for
        REQUIRE_FALSE(launch.advance());
    }
    REQUIRE(comes_to_state(pid, 'S'));
    REQUIRE_FALSE(launch.advance());
}

void check_cancelled(const SpawnError& error, WhichSide side, Stage stage,
                     const std::string& step) {
    CHECK(std::string(error.what()) == "the launch was cancelled");
    CHECK(error.cause() == Cause::cancelled);
    CHECK(error.code() == std::errc::operation_canceled);
    CHECK(error.side() == side);
    CHECK(error.stage() == stage);
    CHECK(error.step() == step);
}

}  // namespace

// Ends.

namespace {

struct Result {
    SpawnError error;
    std::optional<ExitStatus> status;
    int undone = 0;
};

Result result_of(const End& end, StartMethod method,
                 const std::function<Process(const SyncedSpawner&, SpawnError&)>& launch) {
    Result result;
    SpawnOptions options = end.options;
    options.birth.method = method;
    SyncedSpawner spawner(options);
    spawner.step({.name = "before",
                  .parent = [](ParentSide&) {},
                  .undo = [&](ParentSide&) { ++result.undone; }});
    if (!end.step.name.empty()) {
        spawner.step(end.step);
    }
    Process process = launch(spawner, result.error);
    if (process) {
        CHECK(process.start_method() == method);
        if (options.readiness.within) {
            CHECK(process.barrier().is_open());
        }
        result.status = process.wait();
    }
    return result;
}

void check_same(const Result& one, const Result& other) {
    testing::check_same(one.error, other.error);
    CHECK(one.status == other.status);
    CHECK(one.undone == other.undone);
}

}  // namespace

TEST_CASE("a launch that is driven ends as one that waits by itself") {
    const std::vector<End> ends = every_end();
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        for (const End& end : ends) {
            CAPTURE(static_cast<int>(method));
            CAPTURE(end.text);
            const Result spawned =
                result_of(end, method, [](const SyncedSpawner& spawner, SpawnError& error) {
                    return spawner.spawn(error);
                });
            CHECK(std::string(spawned.error.what()).starts_with(end.text));
            const bool had_child = spawned.error.stage() != Stage::prepare &&
                                   !(spawned.error.stage() == Stage::start &&
                                     spawned.error.step() == "start the child");
            CHECK(spawned.undone == (spawned.error && had_child ? 1 : 0));

            const Result driven =
                result_of(end, method, [](const SyncedSpawner& spawner, SpawnError& error) {
                    Launch launch = spawner.launch();
                    drive(launch);
                    return launch.take_process(error);
                });
            check_same(driven, spawned);

            const Result driven_spuriously =
                result_of(end, method, [](const SyncedSpawner& spawner, SpawnError& error) {
                    Launch launch = spawner.launch();
                    while (!launch.advance()) {
                        for (int time = 0; time < 20; ++time) {
                            (void)launch.advance();
                        }
                        if (launch.descriptor() >= 0) {
                            await_event(launch.descriptor());
                        }
                    }
                    return launch.take_process(error);
                });
            check_same(driven_spuriously, spawned);
        }
    }
}

TEST_CASE("a program that closes its barrier and lives on is found out through the descriptor") {
    Launch launch = SyncedSpawner(program_that("closes", 60s)).launch();
    const SpawnError error = error_of(launch);
    CHECK(std::string(error.what()) ==
          "the program closed its barrier before it was ready, and lived on");
    CHECK(error.cause() == Cause::disconnected);
}

// The child never leaves its part, so the time may be as short as one likes. Should it be so slow that it
// had not come to its part by then, a longer one is tried.
TEST_CASE("the setup timeout fires through the descriptor alone, and ends as with spawn()") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        const auto timeout_of = [method](SpawnError (*launch)(const SyncedSpawner&)) {
            SpawnError error;
            for (auto timeout = 50ms; timeout < 60s && error.step() != "held"; timeout *= 4) {
                SpawnOptions options = program_true(method);
                options.setup.within = timeout;
                options.setup.abort_grace = 0ns;
                HeldLaunch held(options);
                error = launch(held.spawner());
                CHECK(held.undone() == 1);
                CHECK(std::string(error.what()).starts_with("the setup was not done within "));
            }
            return error;
        };
        const SpawnError spawned =
            timeout_of([](const SyncedSpawner& spawner) { return failure_of(spawner); });
        const SpawnError driven = timeout_of([](const SyncedSpawner& spawner) {
            Launch launch = spawner.launch();
            return error_of(launch);
        });
        CHECK(std::string(driven.what()).find(": the child has been in 'held' for ") !=
              std::string::npos);
        CHECK(driven.cause() == Cause::timed_out);
        CHECK(driven.code() == std::errc::timed_out);
        CHECK(driven.side() == spawned.side());
        CHECK(driven.stage() == spawned.stage());
        CHECK(driven.cause() == spawned.cause());
        CHECK(driven.step() == spawned.step());
        CHECK(driven.code() == spawned.code());
        CHECK(driven.program_may_have_run() == spawned.program_may_have_run());
    }
}

TEST_CASE("a failure is thrown by the one that takes the process") {
    Launch launch = SyncedSpawner({.program = "/nowhere"}).launch();
    drive(launch);
    CHECK_THROWS_AS((void)launch.take_process(), SpawnError);
    CHECK_FALSE(launch);
}

TEST_CASE("taking the process of a success clears the error") {
    SpawnError error = failure_of({.program = "/nowhere"});
    Launch launch = SyncedSpawner({.program = "true"}).launch();
    drive(launch);
    Process process = launch.take_process(error);
    CHECK_FALSE(error);
    CHECK(process.wait().success());
}

// Waiting.

TEST_CASE("advance does not wait for a child that is asleep in its part") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        HeldLaunch held(program_true(method));
        Launch launch = held.launch();
        for (int time = 0; time < 100; ++time) {
            CHECK_FALSE(launch.advance());
        }
        CHECK(held.is_held());
        // There is no deadline and nothing to be done, so nothing can make it readable.
        pollfd watched{launch.descriptor(), POLLIN, 0};
        CHECK(poll(&watched, 1, 0) == 0);
        held.let_go();
        drive(launch);
        CHECK(launch.take_process().wait().success());
        CHECK(held.undone() == 0);
    }
}

TEST_CASE("a launch tells what it waits for") {
    const NothingIsLeft nothing;
    SUBCASE("the child, in its part") {
        HeldLaunch held(program_true(StartMethod::automatic));
        CHECK(held.spawner().launch().waits_for().stage == Stage::none);
        Launch launch = held.launch();
        const LaunchWait wait = launch.waits_for();
        CHECK(wait.stage == Stage::step);
        CHECK(wait.side == WhichSide::child);
        CHECK(wait.step == "held");
        CHECK(wait.since < std::chrono::hours(1));
        held.let_go();
        drive(launch);
        CHECK(launch.waits_for().stage == Stage::none);
        CHECK(launch.take_process().wait().success());
    }
    SUBCASE("the parent, in its part") {
        SyncedSpawner spawner({.program = "true"});
        spawner.step({.name = "endless",
                      .parent = [](ParentSide& side) { return side.wait_until(Deadline::max()); }});
        Launch launch = spawner.launch();
        CHECK_FALSE(launch.advance());
        CHECK(launch.waits_for().stage == Stage::step);
        CHECK(launch.waits_for().side == WhichSide::parent);
        CHECK(launch.waits_for().step == "endless");
        const Timeline timeline = launch.timeline();
        CHECK(std::any_of(timeline.begin(), timeline.end(), [](const TimelineEvent& event) {
            return event.name == "endless" && event.side == WhichSide::parent &&
                   event.subject == TimelineSubject::step && event.moment == TimelineMoment::wait;
        }));
    }
    SUBCASE("the program, to be ready") {
        Launch launch = SyncedSpawner({.program = "sleep",
                                       .arguments = {"1000"},
                                       .readiness = {.within = std::chrono::hours(1)}})
                            .launch();
        while (launch.waits_for().stage != Stage::readiness) {
            REQUIRE_FALSE(launch.advance());
        }
        CHECK(launch.waits_for().side == WhichSide::child);
        CHECK(launch.waits_for().step == "ready");
    }
}

TEST_CASE("each part runs once, however often advance is called") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        Pipe counted;
        int in_parent = 0;
        SyncedSpawner spawner(program_true(method));
        for (const char* name : {"a", "b", "c"}) {
            spawner.step({.name = name,
                          .child = shared_memory([fd = counted.write_end.get()](ChildSide&) {
                              (void)!write(fd, "x", 1);
                          }),
                          .parent = [&](ParentSide&) { ++in_parent; },
                          .order = StepOrder::child_first,
                          .descriptors = {counted.write_end.get()}});
            spawner.rendezvous("both");
        }
        Launch launch = spawner.launch();
        while (!launch.advance()) {
        }
        CHECK(launch.take_process().wait().success());
        counted.write_end.reset();
        CHECK(in_parent == 3);
        CHECK(read_all(counted.read_end.get()) == "xxx");
    }
}

TEST_CASE("nothing happens before the first advance") {
    const NothingIsLeft nothing;
    int parts = 0;
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .parent = [&](ParentSide&) { ++parts; }});
    const Launch launch = spawner.launch();
    CHECK(launch);
    CHECK(launch.descriptor() == -1);
    CHECK(count_children() == 0);
    CHECK(parts == 0);
}

TEST_CASE("the descriptor is there from the first advance to the end, and is close-on-exec") {
    const NothingIsLeft nothing;
    HeldLaunch held({.program = "true"});
    Launch launch = held.launch();
    const int descriptor = launch.descriptor();
    CHECK(descriptor > 2);
    CHECK(is_close_on_exec(descriptor));
    // As an event loop may; the launch is none the worse.
    CHECK(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0);
    Launch moved = std::move(launch);
    CHECK(moved.descriptor() == descriptor);
    held.let_go();
    drive(moved);
    CHECK(moved.descriptor() == -1);
    CHECK(moved.advance());
    CHECK(moved.take_process().wait().success());
}

TEST_CASE("the descriptor is gone after a failure") {
    for (const char* program : {"/nowhere", "true"}) {
        CAPTURE(program);
        SpawnOptions options{.program = program};
        options.birth.cgroup =
            std::string(program) == "true" ? 987'654 : -1;  // fails before there is one
        Launch launch = SyncedSpawner(options).launch();
        drive(launch);
        CHECK(launch.descriptor() == -1);
        CHECK(launch.advance());
        CHECK(launch.descriptor() == -1);
        SpawnError error;
        CHECK_FALSE(launch.take_process(error));
        CHECK(error);
    }
}

TEST_CASE("many launches are in flight in one loop") {
    constexpr std::size_t count = is_sanitized ? 12 : 50;
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        // No child is let go before all are there, so all are in flight at once.
        Pipe gate;
        SyncedSpawner spawner({.program = helper("launch_meets"),
                               .arguments = {"2"},
                               .birth = {.method = method},
                               .readiness = {.within = 60s}});
        std::size_t parts = 0;
        spawner.step({.name = "x",
                      .child = shared_memory([fd = gate.read_end.get()](ChildSide&) {
                          char byte = 0;
                          (void)!read(fd, &byte, 1);
                      }),
                      .parent = [&](ParentSide&) { ++parts; },
                      .order = StepOrder::child_first,
                      .descriptors = {gate.read_end.get()}});
        std::vector<Launch> launches;
        for (std::size_t number = 0; number < count; ++number) {
            launches.push_back(spawner.launch());
            CHECK_FALSE(launches.back().advance());
        }
        CHECK(count_children() == count);
        CHECK(parts == 0);
        gate.write_end.reset();

        std::vector<Launch*> under_way;
        for (Launch& launch : launches) {
            under_way.push_back(&launch);
        }
        while (!under_way.empty()) {
            std::vector<pollfd> watched;
            for (const Launch* launch : under_way) {
                watched.push_back({launch->descriptor(), POLLIN, 0});
            }
            REQUIRE(poll(watched.data(), watched.size(), -1) > 0);
            std::vector<Launch*> rest;
            for (std::size_t index = 0; index < under_way.size(); ++index) {
                if (watched[index].revents == 0 || !under_way[index]->advance()) {
                    rest.push_back(under_way[index]);
                }
            }
            under_way = std::move(rest);
        }
        std::size_t good = 0;
        for (Launch& launch : launches) {
            SpawnError error;
            Process process = launch.take_process(error);
            CHECK(std::string(error.what()) == "no error");
            if (process && process.barrier().place_and_sync() == Outcome::reached &&
                process.wait().code() == 42) {
                ++good;
            }
        }
        CHECK(good == count);
        CHECK(parts == count);
    }
}

// A child that was left its parent's descriptors holds those of the other launch, and hides their ends.
TEST_CASE("a launch ends while the child of another holds its descriptors") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        HeldLaunch one(program_true(method));
        Launch first = one.launch();
        SpawnOptions options = program_true(method);
        options.descriptors.others = OtherDescriptors::leave;
        HeldLaunch other(options);
        Launch second = other.launch();
        one.let_go();
        drive(first);
        CHECK(first.take_process().wait().success());
        CHECK(other.is_held());
        other.let_go();
        drive(second);
        CHECK(second.take_process().wait().success());
    }
}

// Cancellation.

TEST_CASE("a launch that is cancelled before it has begun never begins") {
    const NothingIsLeft nothing;
    int parts = 0;
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x",
                  .parent = [&](ParentSide&) { ++parts; },
                  .undo = [&](ParentSide&) { ++parts; }});
    Launch launch = spawner.launch();
    launch.cancel();
    CHECK(launch.advance());
    CHECK(launch.descriptor() == -1);
    CHECK(parts == 0);
    const SpawnError error = error_of(launch);
    check_cancelled(error, WhichSide::parent, Stage::prepare, "prepare the launch");
    CHECK_FALSE(error.program_may_have_run());
}

TEST_CASE("a launch is cancelled while the child is in a step, and killed after the grace") {
    constexpr auto grace = 50ms;
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = program_true(method);
        options.setup.abort_grace = grace;
        HeldLaunch held(options);
        Launch launch = held.launch();
        const auto began = std::chrono::steady_clock::now();
        launch.cancel();
        (void)launch.advance();
        const SpawnError error = error_of(launch);
        CHECK(std::chrono::steady_clock::now() - began >= grace);
        check_cancelled(error, WhichSide::parent, Stage::rendezvous, "ready to exec");
        CHECK_FALSE(error.program_may_have_run());
        CHECK(held.undone() == 1);
        CHECK(state_of(held.pid()) == '\0');
    }
}

// The grace is longer than this program may live, so the child leaves by itself or the test fails.
TEST_CASE("a child that is asleep at a rendezvous leaves by itself when the launch is cancelled") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = program_true(method);
        options.setup.abort_grace = 1h;
        HeldLaunch held(options);
        held.spawner().rendezvous("first");
        Launch launch = held.launch();
        held.let_go();
        // The parent has placed for the first rendezvous, and does not go on to the next without advance.
        REQUIRE(is_blocked_in_a_wait(held.pid()));
        launch.cancel();
        const SpawnError error = error_of(launch);
        CHECK(error.cause() == Cause::cancelled);
        CHECK(held.undone() == 1);
    }
}

TEST_CASE("advance does not wait for the child of a launch that was cancelled") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = program_true(method);
        options.setup.abort_grace = 1h;
        HeldLaunch held(options);
        Launch launch = held.launch();
        for (int time = 0; time < 10; ++time) {
            launch.cancel();
            CHECK_FALSE(launch.advance());
        }
        CHECK(held.is_held());
        CHECK(held.undone() == 0);
        held.let_go();
        check_cancelled(error_of(launch), WhichSide::parent, Stage::rendezvous, "ready to exec");
        CHECK(held.undone() == 1);
    }
}

// What the event loop calls is whatever the descriptor says; nobody calls advance after the cancel.
TEST_CASE("after a cancel the descriptor says when to go on") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = program_true(method);
        options.setup.abort_grace = 0ns;
        HeldLaunch held(options);
        Launch launch = held.launch();
        launch.cancel();
        pollfd watched{launch.descriptor(), POLLIN, 0};
        CHECK(poll(&watched, 1, 10'000) == 1);  // at once: the child is to be killed now
        CHECK(error_of(launch).cause() == Cause::cancelled);
    }
}

TEST_CASE("a part of the parent may cancel its own launch: no further part runs") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        int undone = 0;
        bool went_on = false;
        Launch launch;
        SyncedSpawner spawner(program_true(method));
        spawner.step({.name = "cancel",
                      .parent = [&](ParentSide&) { launch.cancel(); },
                      .undo = [&](ParentSide&) { ++undone; }});
        spawner.step({.name = "next", .parent = [&](ParentSide&) { went_on = true; }});
        launch = spawner.launch();
        CHECK(error_of(launch).cause() == Cause::cancelled);
        CHECK(undone == 1);
        CHECK(!went_on);
    }
}

// Its child is past the last rendezvous and does not get to its execve.
TEST_CASE("a launch is cancelled while it waits for execve") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        pid_t child = -1;
        int undone = 0;
        Pipe gate;
        Pipe here;
        const int fds[]{here.write_end.get(), gate.read_end.get()};
        SyncedSpawner spawner(
            {.program = "/nowhere", .birth = {.method = method}, .setup = {.abort_grace = 0ns}});
        spawner.step({.name = "note",
                      .parent = [&](ParentSide& side) { child = side.child_pid(); },
                      .undo = [&](ParentSide&) { ++undone; }});
        spawner.step({.name = "x",
                      .last = shared_memory([here = fds[0], gate = fds[1]](ChildSide&) {
                          char byte = 'x';
                          (void)!write(here, &byte, 1);
                          (void)!read(gate, &byte, 1);
                      }),
                      .descriptors = {fds[0], fds[1]}});
        Launch launch = spawner.launch();
        pollfd watched{here.read_end.get(), POLLIN, 0};
        while (poll(&watched, 1, 0) == 0) {
            REQUIRE_FALSE(launch.advance());
        }
        REQUIRE(sleeps_in(child, SYS_read));
        // Whatever was left to do at the last rendezvous is done now; the execve is what it waits for.
        REQUIRE_FALSE(launch.advance());
        launch.cancel();
        const SpawnError error = error_of(launch);
        check_cancelled(error, WhichSide::child, Stage::execve, "execve '/nowhere'");
        CHECK_FALSE(error.program_may_have_run());
        CHECK(undone == 1);
        CHECK(state_of(child) == '\0');
    }
}

TEST_CASE("a launch is cancelled while it waits for the program to be ready") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        HeldLaunch held(program_that("sleeps", 60s, method));
        Launch launch = held.launch();
        held.let_go();
        drive_until_program_sleeps(launch, held.pid());
        launch.cancel();
        const SpawnError error = error_of(launch);
        check_cancelled(error, WhichSide::child, Stage::readiness, "ready");
        CHECK(error.program_may_have_run());
        CHECK(held.undone() == 1);
        CHECK(state_of(held.pid()) == '\0');
    }
}

TEST_CASE("a cancel after the end changes nothing") {
    const NothingIsLeft nothing;
    SUBCASE("of a success") {
        Launch launch = SyncedSpawner({.program = "true"}).launch();
        drive(launch);
        launch.cancel();
        CHECK(launch.advance());
        CHECK(launch.take_process().wait().success());
    }
    SUBCASE("of a failure") {
        Launch launch = SyncedSpawner({.program = "/nowhere"}).launch();
        drive(launch);
        launch.cancel();
        CHECK(std::string(error_of(launch).what()) ==
              "execve '/nowhere' in the child: no such file or directory");
    }
}

TEST_CASE("a cancel on the way to another failure does not hide that") {
    const NothingIsLeft nothing;
    SpawnOptions options{.program = "true", .setup = {.abort_grace = 1h}};
    HeldLaunch held(options);
    held.spawner().step({.name = "x", .parent = [&](ParentSide& side) {
                             (void)held.is_held();
                             return side.fail(EIO, "call");
                         }});
    Launch launch = held.spawner().launch();
    REQUIRE_FALSE(launch.advance());  // it has failed, but the child is still there
    launch.cancel();
    held.let_go();
    CHECK(std::string(error_of(launch).what()) == "x in the parent: call: input/output error");
    CHECK(held.undone() == 1);
}

TEST_CASE("a descriptor that becomes readable cancels the launch through its descriptor") {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        const UniqueFd event(eventfd(0, EFD_CLOEXEC));
        SpawnOptions options = program_true(method);
        options.setup.cancel_when_readable = event.get();
        options.setup.abort_grace = 0ns;
        HeldLaunch held(options);
        Launch launch = held.launch();
        pollfd watched{launch.descriptor(), POLLIN, 0};
        CHECK(poll(&watched, 1, 0) == 0);
        REQUIRE(eventfd_write(event.get(), 1) == 0);
        CHECK(poll(&watched, 1, -1) == 1);
        const SpawnError error = error_of(launch);
        check_cancelled(error, WhichSide::parent, Stage::rendezvous, "ready to exec");
        CHECK(eventfd_count(event.get()) == 1);
    }
}

TEST_CASE("a regular file, which is always readable, cancels the launch as it does with spawn()") {
    const TemporaryDirectory directory;
    const UniqueFd file(open(directory.file("file", "", 0600).c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file.get() >= 0);
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = program_true(method);
        options.setup.cancel_when_readable = file.get();
        const SyncedSpawner spawner(options);
        Launch launch = spawner.launch();
        const SpawnError driven = error_of(launch);
        const SpawnError spawned = failure_of(spawner);
        check_cancelled(driven, WhichSide::parent, Stage::rendezvous, "ready to exec");
        check_cancelled(spawned, WhichSide::parent, Stage::rendezvous, "ready to exec");
    }
}

// Ownership.

TEST_CASE("a launch that is dropped on its way leaves no child and no descriptor") {
    const NothingIsLeft nothing;
    std::function<void(Launch&)> before_the_end = [](Launch&) {};
    SUBCASE("in a step") {}
    SUBCASE("after a cancel") {
        before_the_end = [](Launch& launch) { launch.cancel(); };
    }
    SUBCASE("when the child is being told to end") {
        before_the_end = [](Launch& launch) {
            launch.cancel();
            (void)launch.advance();
        };
    }
    SUBCASE("by another that takes its place") {
        before_the_end = [](Launch& launch) {
            launch = SyncedSpawner({.program = "true"}).launch();
            drive(launch);
            CHECK(launch.take_process().wait().success());
        };
    }
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        SpawnOptions options = program_true(method);
        options.setup.abort_grace = 0ns;
        HeldLaunch held(options);
        {
            Launch launch = held.launch();
            before_the_end(launch);
        }
        CHECK(held.undone() == 1);
        CHECK(state_of(held.pid()) == '\0');
    }
}

TEST_CASE("a launch that is dropped while the program is not ready ends the program") {
    const NothingIsLeft nothing;
    HeldLaunch held(program_that("sleeps", 60s));
    {
        Launch launch = held.launch();
        held.let_go();
        drive_until_program_sleeps(launch, held.pid());
    }
    CHECK(state_of(held.pid()) == '\0');
    CHECK(held.undone() == 1);
}

TEST_CASE("a program that nobody takes ends with its launch") {
    const NothingIsLeft nothing;
    SpawnOptions options = shell("read nothing");
    options.streams.input = Stdio::pipe();
    HeldLaunch held(options);
    {
        Launch launch = held.launch();
        held.let_go();
        drive(launch);
        CHECK(state_of(held.pid()) != '\0');
    }
    CHECK(state_of(held.pid()) == '\0');
    CHECK(held.undone() == 0);
}

TEST_CASE("misuse of a launch is refused") {
    SpawnError error;
    const auto check_refused = [&](Launch& launch) {
        CHECK_FALSE(launch);
        CHECK_THROWS_AS((void)launch.advance(), std::logic_error);
        CHECK_THROWS_AS((void)launch.descriptor(), std::logic_error);
        CHECK_THROWS_AS(launch.cancel(), std::logic_error);
        CHECK_THROWS_AS((void)launch.take_process(), std::logic_error);
        CHECK_THROWS_AS((void)launch.take_process(error), std::logic_error);
    };
    Launch launch;
    check_refused(launch);
    HeldLaunch held({.program = "true"});
    launch = held.spawner().launch();
    CHECK_THROWS_AS((void)launch.take_process(), std::logic_error);
    CHECK_FALSE(launch.advance());
    CHECK_THROWS_AS((void)launch.take_process(error), std::logic_error);
    Launch taken = std::move(launch);
    check_refused(launch);  // NOLINT(bugprone-use-after-move): that is the point
    held.let_go();
    drive(taken);
    CHECK(taken.take_process().wait().success());
    check_refused(taken);
}

// No room.

TEST_CASE("a launch for whose watch there is no descriptor fails before there is a child") {
    if (is_sanitized) {
        SKIP_TEST("the sanitizer itself needs descriptors here");
    }
    Peer peer([] {
        close_range(3, ~0U, 0);
        rlimit unlimited{};
        expect(getrlimit(RLIMIT_NOFILE, &unlimited) == 0);
        const std::vector<int> before = open_descriptors();
        std::set<std::string> refused;
        bool went_well = false;
        for (rlim_t most = 3; !went_well && most < 50; ++most) {
            int parts = 0;
            SyncedSpawner spawner({.program = "true"});
            spawner.step({.name = "x", .parent = [&](ParentSide&) { ++parts; }});
            const rlimit limited{most, unlimited.rlim_max};
            expect(setrlimit(RLIMIT_NOFILE, &limited) == 0);
            SpawnError error;
            Launch launch = spawner.launch();
            drive(launch);
            Process process = launch.take_process(error);
            expect(setrlimit(RLIMIT_NOFILE, &unlimited) == 0);
            went_well = !error;
            if (error) {
                expect(!process);
                expect_same(error.code().message().c_str(),
                            std::error_code(EMFILE, std::generic_category()).message().c_str());
                expect(error.cause() == Cause::error);
                expect(error.stage() != Stage::prepare || parts == 0);
                if (error.stage() == Stage::prepare) {
                    refused.insert(error.detail());
                }
                expect_same(static_cast<long long>(count_children()), 0);
                expect(open_descriptors() == before);
            } else {
                expect(process.wait().success());
            }
        }
        expect(went_well);
        expect(refused.count("epoll_create1") == 1);
        expect(refused.count("timerfd_create") == 1);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the thread that begins a launch may end before it is over") {
    for (const StartMethod method : start_methods()) {
        CAPTURE(static_cast<int>(method));
        HeldLaunch held(program_true(method));
        Launch launch = held.spawner().launch();
        std::thread([&] { CHECK_FALSE(launch.advance()); }).join();
        held.let_go();
        drive(launch);
        Process process = launch.take_process();
        CHECK(process.wait() == ExitStatus::exited(0));
    }
}
