#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <type_traits>
#include <utility>

#include <syncspawn/launcher/launch.hpp>

#include "barrier/linux/waiting.hpp"
#include "launcher/result/watch.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"

// What the parent waits for, and what becomes of a launch whose waits fail.

using namespace syncspawn;
using namespace syncspawn::detail;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

template <std::size_t... Index>
constexpr bool takes(std::index_sequence<Index...>) {
    return std::is_constructible_v<Events, decltype((void)Index, pollfd())...>;
}
static_assert(takes(std::make_index_sequence<Events::room>()));
static_assert(!takes(std::make_index_sequence<Events::room + 1>()), "none is dropped in silence");

// As many events as there is room for. Only the last one ever comes.
struct Full {
    std::array<UniqueFd, 2> pipe = [] {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        return std::array{UniqueFd(ends[0]), UniqueFd(ends[1])};
    }();
    std::array<UniqueFd, Events::room> copies = [this] {
        std::array<UniqueFd, Events::room> made;
        for (UniqueFd& copy : made) {
            copy.reset(fcntl(pipe[1].get(), F_DUPFD_CLOEXEC, 3));
        }
        made.back().reset(fcntl(pipe[0].get(), F_DUPFD_CLOEXEC, 3));
        return made;
    }();

    template <std::size_t... Index>
    Events events(std::index_sequence<Index...>) const {
        return {pollfd{copies[Index].get(), POLLIN, 0}...};
    }
    Events events() const { return events(std::make_index_sequence<Events::room>()); }
};

// Its only other descriptor.
int timer_of(const Watch& watch) {
    const std::string set = read_file("/proc/self/fdinfo/" + std::to_string(watch.descriptor()));
    const std::size_t first = set.find("tfd:");
    REQUIRE(first != std::string::npos);
    return std::stoi(set.substr(first + 4));
}

void refuse_ppoll() { refuse_system_calls({SYS_ppoll}, EPERM); }

SpawnError error_of(Launch launch) {
    while (!launch.advance()) {
    }
    SpawnError error;
    (void)launch.take_process(error);
    return error;
}

SyncedSpawner with_parent(ParentPart part, SpawnOptions options = {.program = "true"}) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .parent = std::move(part)});
    return spawner;
}

}  // namespace

TEST_CASE("the last of as many events as there is room for is waited for") {
    const Full full;
    const Deadline now{};
    CHECK(wait_for_any(full.events(), &now) == at_the_deadline);
    REQUIRE(write(full.pipe[1].get(), "x", 1) == 1);
    CHECK(wait_for_any(full.events(), nullptr) == Events::room - 1);
}

TEST_CASE("the last of as many events as there is room for is watched for an event loop") {
    const Full full;
    Watch watch;
    watch.set(full.events(), nullptr);
    pollfd loop{watch.descriptor(), POLLIN, 0};
    CHECK(poll(&loop, 1, 0) == 0);
    REQUIRE(write(full.pipe[1].get(), "x", 1) == 1);
    CHECK(poll(&loop, 1, -1) == 1);
}

// What a set of epoll refuses is looked at by a timer.
TEST_CASE("what is watched twice wakes the event loop when it is ready, and not before") {
    const Full full;
    Watch watch;
    const int timer = timer_of(watch);
    itimerspec time{};
    const pollfd twice = readable(full.copies.back().get());
    watch.set({twice, twice}, nullptr);
    REQUIRE(timerfd_gettime(timer, &time) == 0);
    CHECK(time.it_value.tv_sec == 0);
    CHECK(time.it_value.tv_nsec == 0);
    REQUIRE(write(full.pipe[1].get(), "x", 1) == 1);
    pollfd loop{watch.descriptor(), POLLIN, 0};
    CHECK(poll(&loop, 1, -1) == 1);
    watch.set({}, nullptr);
    CHECK(poll(&loop, 1, 0) == 0);
}

TEST_CASE("a wait that fails is not taken for the deadline") {
    Peer peer([] {
        refuse_ppoll();
        const Deadline never = Deadline::max();
        for (const Deadline* deadline : {static_cast<const Deadline*>(nullptr), &never}) {
            errno = 0;
            expect(wait_for_any({readable(0)}, deadline) == wait_failed);
            expect_same(errno, EPERM);
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

// The child cannot know of it, and would be waited for without end.
TEST_CASE("a launch whose waits are refused fails of that, and comes to its end") {
    SpawnOptions options{.program = "true", .setup = {.abort_grace = 0ns}};
    bool is_begun = false;
    SUBCASE("of spawn()") {}
    SUBCASE("of an event loop") { is_begun = true; }
    SUBCASE("and not of a deadline that is far away") { options.setup.within = 1h; }
    Peer peer([&] {
        SyncedSpawner spawner = with_parent([](ParentSide&) { refuse_ppoll(); }, options);
        spawner.step({.name = "waits", .child = after_fork([](ChildSide&) { pause(); })});
        const SpawnError error = is_begun ? error_of(spawner.launch()) : failure_of(spawner);
        expect_same(error.what(), "x in the parent: barrier: operation not permitted");
        expect(error.code() == std::errc::operation_not_permitted && error.hint().empty());
        expect(count_children() == 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

// Its child is past the last rendezvous and does not get to its execve.
TEST_CASE("a launch that waits for execve when its waits are refused names the call") {
    Peer peer([] {
        pid_t pid = -1;
        SyncedSpawner spawner = with_parent([&](ParentSide& side) { pid = side.child_pid(); },
                                            {.program = "/nowhere", .setup = {.abort_grace = 0ns}});
        spawner.step({.name = "stays", .last = after_fork([](ChildSide&) {
                                           sigset_t none;
                                           sigemptyset(&none);
                                           sigsuspend(&none);
                                       })});
        Launch launch = spawner.launch();
        do {
            expect(!launch.advance());
        } while (system_call_of(pid) != SYS_rt_sigsuspend);
        expect(!launch.advance());  // past the last rendezvous, as the child is
        refuse_ppoll();
        const SpawnError error = error_of(std::move(launch));
        expect_same(error.what(), "ready to exec in the parent: ppoll: operation not permitted");
        expect(count_children() == 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a failure of the parent's own barrier is the cause, and not that the child has exited") {
    Peer peer([] {
        SyncedSpawner spawner({.program = "true"});
        spawner.step({.name = "x",
                      .child = after_fork([](ChildSide&) { _exit(125); }),
                      .parent = [](ParentSide& side) {
                          const bool has_ended = comes_to_state(side.child_pid(), 'Z');
                          refuse_ppoll();
                          return has_ended ? side.done() : side.fail("no end");
                      }});
        expect_same(failure_of(spawner).what(),
                    "x in the parent: barrier: operation not permitted");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a process whose end is waited for without ppoll is seen to end") {
    Peer peer([] {
        Process process = SyncedSpawner(shell("exit 3")).spawn();
        refuse_ppoll();
        expect(process.wait_until(Deadline::max()) == ExitStatus::exited(3));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE(
    "a child part that executes a program of its own is told as having let go of its barrier") {
    SpawnOptions options{.program = "true", .setup = {.abort_grace = 0ns}};
    SUBCASE("with a deadline") { options.setup.within = 1h; }
    SUBCASE("without one") {}
    SyncedSpawner spawner(options);
    spawner.step({.name = "x", .child = after_fork([](ChildSide& side) {
                                   execl("/bin/sleep", "sleep", "1000", nullptr);
                                   return side.fail("execl");
                               })});
    const SpawnError error = failure_of(spawner);
    CHECK(std::string(error.what()) == "the child closed its barrier in step 'x', and lived on");
}
