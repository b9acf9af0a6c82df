#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// A program that stays in new namespaces. Empty, and the reason left, where they are forbidden.
Process container(Namespaces which) {
    SyncedSpawner spawner(
        {.program = "sleep", .arguments = {"1000"}, .birth = {.namespaces = which}});
    spawner.step(steps::map_root());
    SpawnError error;
    return spawner.spawn(error);
}

std::string outcome_of(const std::string& text, std::vector<Step> steps) {
    SpawnOptions options = shell(text);
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    for (Step& step : steps) {
        spawner.step(std::move(step));
    }
    SpawnError error;
    Process process = spawner.spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

std::string link_of(const std::string& process, const std::string& name) {
    return std::filesystem::read_symlink("/proc/" + process + "/ns/" + name).string() + "\n";
}
std::string link_of(const Process& process, const std::string& name) {
    return link_of(std::to_string(process.pid()), name);
}

const std::string show_namespaces =
    "for n in user uts ipc net cgroup mnt; do readlink /proc/self/ns/$n; done";

constexpr Namespaces all_but_user = Namespaces::uts | Namespaces::ipc | Namespaces::network |
                                    Namespaces::cgroup | Namespaces::mount;
constexpr Namespaces all = all_but_user | Namespaces::user;

void join_all() {
    Process box = container(all);
    if (!box) {
        leave_out_here("this machine forbids new namespaces");
    }
    std::string expected;
    for (const char* const name : {"user", "uts", "ipc", "net", "cgroup", "mnt"}) {
        expected += link_of(box, name);
    }
    const std::string namespaces =
        outcome_of(show_namespaces, {steps::join_namespaces(box.pid(), all)});
    const std::string user = outcome_of("id -u", {steps::join_namespaces(box.pid(), all)});
    (void)box.kill();  // before this peer may leave without destructors
    expect_same(namespaces.c_str(), expected.c_str());
    // Who joins keeps its ids, which the map calls 0 here.
    expect_same(user.c_str(), "0\n");
}

// The thread sanitizer has a thread of its own in each process that fork(3) makes.
#define SKIP_UNDER_THREAD_SANITIZER()                                                    \
    if (detail::is_thread_sanitized()) {                                                 \
        SKIP_TEST("a process of several threads may not join a user or time namespace"); \
    }

}  // namespace

TEST_CASE("a program runs in the namespaces of another, as root and as an ordinary user") {
    SKIP_UNDER_THREAD_SANITIZER();
    Peer root([] { join_all(); });
    CHECK_REACHED_THE_END_OR_SKIP(root);
    Peer user([] {
        become_ordinary_user();
        join_all();
    });
    CHECK_REACHED_THE_END_OR_SKIP(user);
}

TEST_CASE("the step keeps the namespaces, whose processes may be gone, and nothing else is left") {
    SKIP_UNDER_THREAD_SANITIZER();
    const NothingIsLeft nothing_is_left;
    Process box = container(Namespaces::user | Namespaces::uts);
    if (!box) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    const std::string expected = link_of(box, "uts");
    SyncedSpawner spawner({.program = "readlink",
                           .arguments = {"/proc/self/ns/uts"},
                           .streams = {.output = Stdio::pipe()}});
    spawner.step(steps::join_namespaces(box.pid(), Namespaces::user | Namespaces::uts));
    (void)box.kill();
    for (int launch = 0; launch < 2; ++launch) {
        Process process = spawner.spawn();
        CHECK(process.start_method() == StartMethod::copied_memory);
        CHECK(read_all(process.standard_output()) == expected);
        CHECK(process.wait().success());
    }
}

TEST_CASE("a namespace is joined by its path, or by its descriptor") {
    CHECK_THROWS_AS((void)steps::join_namespace("/no/such/namespace"), std::system_error);
    CHECK_THROWS_AS((void)steps::join_namespace("/dev/null"), std::system_error);
    CHECK_THROWS_AS((void)steps::join_namespace(UniqueFd()), std::system_error);
    SKIP_UNDER_THREAD_SANITIZER();
    const Process box = container(Namespaces::user | Namespaces::uts);
    if (!box) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    const std::string directory = "/proc/" + std::to_string(box.pid()) + "/ns/";
    UniqueFd uts(open((directory + "uts").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(outcome_of("readlink /proc/self/ns/uts", {steps::join_namespace(directory + "user"),
                                                    steps::join_namespace(std::move(uts))}) ==
          link_of(box, "uts"));
}

TEST_CASE("without a user or a time namespace, memory may be shared") {
    if (geteuid() != 0) {
        SKIP_TEST("only root may join without a user namespace");
    }
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const Process box = container(all);
    if (!box) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    SpawnOptions options = with_shared_memory(shell(show_namespaces));
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(options);
    spawner.step(steps::join_namespaces(box.pid(), all_but_user));
    Process process = spawner.spawn();
    std::string expected = link_of("self", "user");
    for (const char* const name : {"uts", "ipc", "net", "cgroup", "mnt"}) {
        expected += link_of(box, name);
    }
    CHECK(read_all(process.standard_output()) == expected);
}

TEST_CASE("a time namespace is joined in copied memory") {
    SKIP_UNDER_THREAD_SANITIZER();
    if (access("/proc/self/ns/time", F_OK) < 0) {
        SKIP_TEST("there are no time namespaces before Linux 5.6");
    }
    const std::string outcome =
        outcome_of("readlink /proc/self/ns/time", {steps::join_namespace("/proc/self/ns/time")});
    // It is this process's own, which takes the privilege all the same.
    CHECK(outcome == (geteuid() == 0 ? link_of("self", "time")
                                     : "join namespaces in the child: setns: time namespace: "
                                       "operation not permitted"));
}

TEST_CASE("a path that leads to a FIFO is refused, and not waited for") {
    const TemporaryDirectory directory;
    const std::string fifo = directory.path() + "/fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    CHECK_THROWS_AS((void)steps::join_namespace(fifo), std::system_error);
}

TEST_CASE("who may not join is told which namespace it was") {
    Peer peer([] {
        become_ordinary_user();
        expect_same(outcome_of("true", {steps::join_namespace("/proc/self/ns/uts")}).c_str(),
                    "join namespaces in the child: setns: uts namespace: operation not permitted");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a pid namespace cannot be joined, nor can nothing") {
    CHECK_THROWS_WITH_AS((void)steps::join_namespaces(getpid(), Namespaces::pid),
                         doctest::Contains("birth.pid_namespace"), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::join_namespace("/proc/self/ns/pid"), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::join_namespaces(getpid(), Namespaces::none),
                    std::invalid_argument);
}
