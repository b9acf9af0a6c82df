#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/absent_paths.hpp>

#include "launcher/sandbox/files/placeholders.hpp"
#include "launcher/sandbox/policy/private_directory.hpp"
#include "on_the_host.hpp"
#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using syncspawn::sandbox::Placeholders;

namespace {

// Tells of what vanishes from a directory from now on.
class Removals {
public:
    explicit Removals(const std::string& directory) : events_(inotify_init1(IN_CLOEXEC)) {
        REQUIRE(inotify_add_watch(events_.get(), directory.c_str(), IN_DELETE) >= 0);
    }
    void await_one() const {
        char event[4096];
        REQUIRE(read(events_.get(), event, sizeof event) > 0);
    }

private:
    UniqueFd events_;
};

std::vector<pid_t> children_of(pid_t process) {
    const std::string id = std::to_string(process);
    std::istringstream list(read_file("/proc/" + id + "/task/" + id + "/children"));
    std::vector<pid_t> children;
    for (pid_t child = 0; list >> child;) {
        children.push_back(child);
    }
    return children;
}

// Places one, and stops.
Peer stopped_holder(const std::string& path) {
    Peer peer([&path] {
        static Placeholders held;
        held.place({path});
        raise(SIGSTOP);
    });
    REQUIRE(comes_to_state(peer.pid(), 'T'));
    return peer;
}

void kill_for_good(Peer& peer) {
    peer.send(SIGKILL);
    (void)peer.wait_status();
}

std::string target_of(const std::string& link) {
    char target[4096];
    const ssize_t size = readlink(link.c_str(), target, sizeof target);
    return {target, static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace

TEST_CASE("when the launcher is killed, its placeholders go") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    const Removals removals(directory.path());
    Peer peer = stopped_holder(path);
    REQUIRE(is_link(path));
    kill_for_good(peer);
    removals.await_one();
    CHECK(is_gone(path));
}

TEST_CASE("when launcher and guardian are killed, the next launch removes what they have left") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    Peer peer = stopped_holder(path);
    const std::vector<pid_t> guardians = children_of(peer.pid());
    REQUIRE(guardians.size() == 1);
    REQUIRE(kill(guardians.front(), SIGKILL) == 0);
    REQUIRE(comes_to_state(guardians.front(), 'Z'));
    kill_for_good(peer);
    REQUIRE(is_link(path));
    Placeholders::remove_abandoned();
    CHECK(is_gone(path));
}

TEST_CASE("the guardian has a session, and nothing of the launcher's but what it guards") {
    const TemporaryDirectory directory;
    Peer peer([&directory] {
        static Placeholders held;
        const UniqueFd of_application(open("/dev/null", O_RDONLY));
        expect(of_application.get() >= 0 && chdir(directory.path().c_str()) == 0);
        held.place({directory / "a", directory / "b"});
        raise(SIGSTOP);
        held.remove();
    });
    REQUIRE(comes_to_state(peer.pid(), 'T'));
    const std::vector<pid_t> guardians = children_of(peer.pid());
    REQUIRE(guardians.size() == 1);
    const std::string proc = "/proc/" + std::to_string(guardians.front());
    while (read_file(proc + "/comm") != "guardian\n") {  // the last that it does to itself
        sched_yield();
    }
    CHECK(getsid(guardians.front()) == guardians.front());
    if (geteuid() == 0) {
        CHECK(target_of(proc + "/cwd") == "/");
        CHECK(output_of(shell("ls " + proc + "/fd | wc -l")) == "5\n");
        CHECK(output_of(shell("readlink " + proc + "/fd/* | grep -c '^/'")) == "3\n");
    }
    peer.send(SIGCONT);
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("while another launch needs it, a placeholder stays, even if that one is stopped") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    const Removals removals(directory.path());
    Peer other = stopped_holder(path);
    {
        Peer peer = stopped_holder(path);
        const Removals of_second(directory.path());
        Placeholders third;
        third.place({path, directory / "second"});
        kill_for_good(peer);
        third.remove();
        of_second.await_one();
        CHECK(is_link(path));
    }
    removals.await_one();
    kill_for_good(other);
    removals.await_one();
    CHECK(is_gone(path));
}

TEST_CASE("what has taken a placeholder's place is not removed") {
    const TemporaryDirectory directory;
    const std::string taken = directory / "a";
    const std::string path = directory / "b";
    Peer peer([&] {
        static Placeholders held;
        held.place({taken, path});
        raise(SIGSTOP);
    });
    REQUIRE(comes_to_state(peer.pid(), 'T'));
    REQUIRE(unlink(taken.c_str()) == 0);
    REQUIRE(symlink("/proc/syncspawn/absent/not", taken.c_str()) == 0);
    const Removals removals(directory.path());
    kill_for_good(peer);
    removals.await_one();
    CHECK(is_gone(path));
    CHECK(is_link(taken));
}

TEST_CASE("a program that outlives its launcher keeps its placeholders") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    const Removals removals(directory.path());
    int input[2];
    REQUIRE(pipe2(input, O_CLOEXEC) == 0);
    const UniqueFd from(input[0]);
    UniqueFd to(input[1]);
    Peer peer([&] {
        to.reset();
        SyncedSpawner spawner(
            {.program = "cat", .streams = {.input = Stdio::descriptor(from.get())}});
        spawner.step(sandbox::keep_absent({path}));
        static Process process = spawner.spawn();
        raise(SIGSTOP);
    });
    REQUIRE(comes_to_state(peer.pid(), 'T'));
    std::vector<pid_t> children = children_of(peer.pid());
    REQUIRE(children.size() == 2);
    kill_for_good(peer);
    // It has seen the launcher's end by now, or will, and goes on waiting for the program's.
    CHECK(is_link(path));
    to.reset();
    removals.await_one();
    CHECK(is_gone(path));
}

TEST_CASE("a program that is let go keeps its placeholders, until it ends") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    const Removals removals(directory.path());
    SyncedSpawner spawner({.program = "cat", .streams = {.input = Stdio::pipe()}});
    spawner.step(sandbox::keep_absent({path}));
    Process process = spawner.spawn();
    UniqueFd input = process.take_standard_input();
    const pid_t program = process.release();
    CHECK(is_link(path));
    input.reset();
    removals.await_one();
    CHECK(is_gone(path));
    while (waitpid(-1, nullptr, 0) > 0) {  // the program, and the guardian
    }
    CHECK(kill(program, 0) < 0);
}

TEST_CASE("a launch that ends leaves no guardian") {
    const TemporaryDirectory directory;
    SyncedSpawner spawner({.program = "true"});
    spawner.step(sandbox::keep_absent({directory / "a", directory / "b"}));
    CHECK(spawner.spawn().wait().success());  // the memory of its program stays
    const NothingIsLeft nothing;
    CHECK(spawner.spawn().wait().success());
    CHECK(output_of(shell("ls -A " + directory.path())).empty());
}

TEST_CASE("a guardian that a filter keeps from waiting ends") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    Peer peer([&path] {
        refuse_system_calls({SYS_ppoll}, EPERM);
        static Placeholders held;
        held.place({path});
        raise(SIGSTOP);
    });
    REQUIRE(comes_to_state(peer.pid(), 'T'));
    const std::vector<pid_t> guardians = children_of(peer.pid());
    REQUIRE(guardians.size() == 1);
    CHECK(comes_to_state(guardians.front(), 'Z'));
    kill_for_good(peer);
    Placeholders::remove_abandoned();
    CHECK(is_gone(path));
}

TEST_CASE("the private directory of a killed launcher goes when the next one is made") {
    const sandbox::Ids own{.host_user = geteuid(), .host_group = getegid()};
    struct Path {
        char text[64];
    };
    const Shared<Path> path;
    Peer peer([&] {
        static const sandbox::PrivateDirectory left(own);
        left.path().copy((*path).text, sizeof(Path) - 1);
        std::ofstream(left.path() + "/file") << "x";
        raise(SIGSTOP);
    });
    REQUIRE(comes_to_state(peer.pid(), 'T'));
    {
        const sandbox::PrivateDirectory while_it_lives(own);
        CHECK(is_directory((*path).text));
    }
    kill_for_good(peer);
    CHECK(is_directory((*path).text));
    const sandbox::PrivateDirectory next(own);
    CHECK_FALSE(is_directory((*path).text));
}
