#include <syncspawn/launcher/process_set.hpp>

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/peer.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// Ends once its standard input does.
Process spawn_waiting(int code = 0, StartMethod method = StartMethod::automatic) {
    SpawnOptions options = shell("read line; exit " + std::to_string(code));
    options.birth.method = method;
    options.streams.input = Stdio::pipe();
    return SyncedSpawner(options).spawn();
}

bool is_readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, 0) == 1;
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

}  // namespace

TEST_CASE("the first of many that ends is found, and is no member any more") {
    const NothingIsLeft check;
    ProcessSet set;
    CHECK(set.empty());
    Process first = spawn_waiting(3);
    const UniqueFd input = first.take_standard_input();
    const pid_t pid = first.pid();
    set.add(spawn_waiting());
    set.add(std::move(first));
    set.add(spawn_waiting());
    CHECK(set.size() == 3);
    CHECK_FALSE(set.try_any());
    CHECK_FALSE(set.wait_any_for(1ms));
    CHECK_FALSE(is_readable(set.descriptor()));
    CHECK(write(input.get(), "\n", 1) == 1);
    Process ended = set.wait_any();
    CHECK(ended.pid() == pid);
    CHECK(ended.wait() == ExitStatus::exited(3));
    CHECK(ended.usage());
    CHECK(set.size() == 2);
    CHECK_FALSE(set.try_any());
}

TEST_CASE("all that have ended are found one after the other, and their pipes can still be read") {
    const NothingIsLeft check;
    ProcessSet set;
    std::set<std::string> missing;
    for (int number = 0; number < 100; ++number) {
        SpawnOptions options = shell("echo " + std::to_string(number));
        options.streams.output = Stdio::pipe();
        set.add(SyncedSpawner(options).spawn());
        missing.insert(std::to_string(number) + "\n");
    }
    while (!set.empty()) {
        Process ended = set.wait_any();
        CHECK(ended.wait().success());
        CHECK(missing.erase(read_all(ended.standard_output())) == 1);
    }
    CHECK(missing.empty());
    CHECK_FALSE(set.try_any());
    CHECK_FALSE(set.wait_any_for(1h));
    CHECK_THROWS_AS(set.wait_any(), std::logic_error);
}

TEST_CASE("in an event loop the descriptor tells that one has ended") {
    const NothingIsLeft check;
    ProcessSet set;
    const int loop = set.descriptor();
    set.add(SyncedSpawner({.program = "true"}).spawn());
    set.add(spawn_waiting());
    set.add(SyncedSpawner({.program = "true"}).spawn());
    while (set.size() > 1) {
        pollfd event{loop, POLLIN, 0};
        CHECK(poll(&event, 1, -1) == 1);
        while (auto ended = set.try_any()) {
            CHECK(ended->wait().success());
        }
    }
    CHECK(set.descriptor() == loop);
}

TEST_CASE("one that has ended before it becomes a member is found as well") {
    ProcessSet set;
    Process reaped = SyncedSpawner(shell("exit 4")).spawn();
    reaped.wait();
    set.add(std::move(reaped));
    CHECK(set.wait_any().wait() == ExitStatus::exited(4));
    Process taken = SyncedSpawner({.program = "true"}).spawn();
    waitpid(taken.pid(), nullptr, 0);
    set.add(std::move(taken));
    CHECK(set.wait_any().wait() == ExitStatus::unknown());
}

TEST_CASE("one can be taken out, ended, and be put back") {
    ProcessSet set;
    Process process = spawn_waiting();
    const pid_t pid = process.pid();
    set.add(std::move(process));
    CHECK_FALSE(set.take(pid + 1));
    std::optional<Process> taken = set.take(pid);
    REQUIRE(taken);
    CHECK(set.empty());
    CHECK_FALSE(set.wait_any_for(1ms));
    taken->signal(SIGTERM);
    set.add(std::move(*taken));
    CHECK(set.wait_any().wait() == ExitStatus::killed(SIGTERM));
}

TEST_CASE("a set that is destroyed or assigned to ends its programs") {
    Process process = SyncedSpawner({.program = "sleep", .arguments = {"1000"}}).spawn();
    const pid_t pid = process.pid();
    ProcessSet set;
    set.add(std::move(process));
    ProcessSet other = std::move(set);
    CHECK(other.size() == 1);
    CHECK(set.empty());  // NOLINT(bugprone-use-after-move): that is the question
    CHECK_THROWS_AS((void)set.descriptor(), std::logic_error);
    other = ProcessSet();
    CHECK(waitpid(pid, nullptr, 0) < 0);
    CHECK(errno == ECHILD);
}

TEST_CASE("an empty process is refused, and one that is refused is still its owner's") {
    ProcessSet set;
    CHECK_THROWS_AS(set.add(Process()), std::logic_error);
    Process process = SyncedSpawner({.program = "true"}).spawn();
    ProcessSet moved = std::move(set);
    CHECK_THROWS_AS(set.add(std::move(process)),  // NOLINT(*-use-after-move,*.Move)
                    std::logic_error);
    CHECK(process.wait().success());  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("a copy of the set that fork makes just closes descriptors") {
    ProcessSet set;
    Process process = spawn_waiting();
    const UniqueFd input = process.take_standard_input();
    set.add(std::move(process));
    set.add(spawn_waiting());
    Peer copy([&] {
        expect(is_misuse([&] { set.wait_any(); }));
        expect(is_misuse([&] { (void)set.try_any(); }));
        expect(is_misuse([&] { (void)set.descriptor(); }));
        expect(is_misuse([&] { (void)set.take(1); }));
        expect(is_misuse([&] { set.add(SyncedSpawner({.program = "true"}).spawn()); }));
        set = ProcessSet();
        expect(set.empty());
    });
    CHECK(copy.ending() == reached_the_end);
    CHECK_FALSE(set.try_any());
    CHECK(write(input.get(), "\n", 1) == 1);
    CHECK(set.wait_any().wait().success());
    CHECK(set.size() == 1);
}

TEST_CASE("without pidfds a set looks, and its descriptor tells when") {
    Peer peer([] {
        refuse_system_calls({SYS_pidfd_open}, ENOSYS);
        ProcessSet set;
        Process waiting = spawn_waiting(3, StartMethod::copied_memory);
        expect(waiting.pidfd() < 0);
        const UniqueFd input = waiting.take_standard_input();
        set.add(std::move(waiting));
        set.add(spawn_waiting(0, StartMethod::copied_memory));
        expect(!set.try_any());
        expect(!set.wait_any_for(20ms));
        expect(write(input.get(), "\n", 1) == 1);
        pollfd event{set.descriptor(), POLLIN, 0};
        expect(poll(&event, 1, -1) == 1);
        expect(set.wait_any().wait() == ExitStatus::exited(3));
        expect(set.size() == 1);
        set = ProcessSet();
    });
    CHECK(peer.ending() == reached_the_end);
}
