#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/steps.hpp>

#include "launcher/sandbox/namespaces/time_offsets.hpp"
#include "support/namespaces.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"
#include "support/steps.hpp"

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// The program's output, or the error of its launch.
std::string outcome_of(const std::string& text, std::vector<Step> steps, Namespaces namespaces,
                       StartMethod method = {}) {
    SpawnOptions options = shell(text);
    options.birth = {.method = method, .namespaces = namespaces};
    options.streams.output = Stdio::pipe();
    options.streams.error = Stdio::same_as_output();
    SyncedSpawner spawner(std::move(options));
    for (Step& step : steps) {
        spawner.step(std::move(step));
    }
    SpawnError error;
    Process process = spawner.spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

constexpr Namespaces user = Namespaces::user;
constexpr Namespaces user_and_names = Namespaces::user | Namespaces::uts;

bool are_forbidden() { return outcome_of("true", {}, user).starts_with("start the child"); }

#define SKIP_WITHOUT_USER_NAMESPACES()                     \
    if (are_forbidden()) {                                 \
        SKIP_TEST("this machine forbids user namespaces"); \
    }

// As this user with every way to start a child, and as an ordinary one.
void with_each(const std::function<std::string(StartMethod)>& outcome,
               const std::string& expected) {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        CHECK(outcome(method) == expected);
    }
    Peer peer([&] {
        become_ordinary_user();
        expect_same(outcome({}).c_str(), expected.c_str());
    });
    CHECK(peer.ending() == reached_the_end);
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

// Says whether clocks are ahead by about a thousand days and two thousand, and which namespace that is.
const std::string tell_clocks =
    "read up idle </proc/uptime; test ${up%.*} -gt 172800000 && echo ahead; "
    "test $(readlink /proc/self/ns/time) = $(readlink /proc/self/ns/time_for_children) && echo "
    "entered";
const TimeOffsets far_ahead{.monotonic = 24h * 1000, .boottime = 24h * 2000};

}  // namespace

TEST_CASE("the child maps its own id to the one that is asked for") {
    SKIP_WITHOUT_USER_NAMESPACES();
    with_each(
        [](StartMethod method) {
            return outcome_of("echo $(id -u) $(id -g) $(cat /proc/self/setgroups)",
                              {map_own_id({.user = 1000, .group = 2000})}, user, method);
        },
        "1000 2000 deny\n");
    with_each(
        [](StartMethod method) {
            return outcome_of("echo $(id -u) $(id -g)", {map_own_id()}, user, method);
        },
        "0 0\n");
}

TEST_CASE("the child maps its own id in a pid namespace, too, where /proc is the one outside") {
    SKIP_WITHOUT_USER_NAMESPACES();
    with_each(
        [](StartMethod method) {
            return outcome_of("id -u; echo $$", {map_own_id()}, user | Namespaces::pid, method);
        },
        "0\n1\n");
}

TEST_CASE("the map is there for the parts that follow, and nobody waits for it") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const StartMethod method : start_methods()) {
        SyncedSpawner spawner(
            {.program = "true", .birth = {.method = method, .namespaces = Namespaces::user}});
        spawner.step(map_own_id());
        spawner.step({.name = "look", .child = shared_memory([](ChildSide& side) {
                                          return geteuid() == 0 ? side.done()
                                                                : side.fail(EIO, "geteuid");
                                      })});
        for (int launch = 0; launch < 3; ++launch) {
            CHECK(spawner.spawn().wait().success());
        }
    }
}

TEST_CASE("a child that has no map to write is told why") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const std::string& error : {outcome_of("true", {map_own_id()}, Namespaces::none),
                                     outcome_of("true", {map_own_id(), map_own_id()}, user)}) {
        CHECK(error ==
              "own id map in the child: the child is in no user namespace of its own "
              "(birth.namespaces), or its map is written already: invalid argument");
    }
    CHECK_THROWS_AS((void)map_own_id({.user = static_cast<uid_t>(-1)}), std::invalid_argument);
}

TEST_CASE("without /proc the map cannot be written, and the error says so") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        cover_proc();
        const std::string error = outcome_of("true", {map_own_id()}, user);
        if (error.starts_with("start the child")) {
            leave_out_here("an ordinary user covers /proc in a user namespace, which has no map");
        }
        expect_same(error.c_str(),
                    "own id map in the child: /proc/self/uid_map: /proc is not mounted where the "
                    "child is: no such file or directory");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a parent whose files in /proc are root's is told so") {
    SKIP_WITHOUT_USER_NAMESPACES();
    Peer peer([] {
        become_ordinary_user();
        expect(prctl(PR_SET_DUMPABLE, 0) == 0);
        const std::string error = outcome_of("true", {map_own_id()}, user);
        expect(contains(error, "own id map in the child: /proc/self/uid_map"));
        expect(contains(error, "not dumpable"));
    });
    CHECK(peer.ending() == reached_the_end);
}

// Names.

TEST_CASE("the program has its host name and domain, and the caller keeps its own") {
    SKIP_WITHOUT_USER_NAMESPACES();
    utsname before{};
    REQUIRE(uname(&before) == 0);
    with_each(
        [](StartMethod method) {
            return outcome_of("uname -n; cat /proc/sys/kernel/domainname",
                              {map_own_id(), host_name("box"), domain_name("in.side")},
                              user_and_names, method);
        },
        "box\nin.side\n");
    utsname after{};
    REQUIRE(uname(&after) == 0);
    CHECK(std::string(after.nodename) == before.nodename);
}

TEST_CASE("the host is not renamed") {
    utsname before{};
    REQUIRE(uname(&before) == 0);
    CHECK(outcome_of("true", {host_name("box")}, Namespaces::none) ==
          "host name in the child: the child is in no uts namespace of its own: birth.namespaces: "
          "invalid argument");
    utsname after{};
    REQUIRE(uname(&after) == 0);
    CHECK(std::string(after.nodename) == before.nodename);
}

TEST_CASE("a name that is no host name is refused") {
    CHECK_THROWS_AS((void)host_name(std::string(65, 'a')), std::invalid_argument);
    CHECK_THROWS_AS((void)domain_name(std::string(1, '\0')), std::invalid_argument);
    CHECK_NOTHROW((void)host_name(std::string(64, 'a')));
}

// Clocks.

TEST_CASE("the program's clocks are ahead, by either way into the namespace") {
    SKIP_WITHOUT_USER_NAMESPACES();
    if (access("/proc/self/ns/time", F_OK) < 0) {
        SKIP_TEST("there are no time namespaces here (Linux 5.6)");
    }
    with_each(
        [](StartMethod) {
            return outcome_of(tell_clocks, {map_own_id(), time_offsets(far_ahead)}, user);
        },
        "ahead\nentered\n");
    with_each(
        [](StartMethod) {
            return outcome_of(tell_clocks,
                              {map_own_id(), time_offsets_step(far_ahead, TimeEntry::at_once)},
                              user);
        },
        "ahead\nentered\n");
    CHECK(outcome_of(tell_clocks, {map_own_id()}, user) == "entered\n");
}

TEST_CASE("the program's clocks may be behind, but not before their beginning") {
    SKIP_WITHOUT_USER_NAMESPACES();
    if (access("/proc/self/ns/time", F_OK) < 0) {
        SKIP_TEST("there are no time namespaces here (Linux 5.6)");
    }
    const std::string offsets =
        outcome_of("while read a b c; do echo $a $b $c; done </proc/self/timens_offsets",
                   {map_own_id(), time_offsets({.monotonic = -1500ms, .boottime = 1ns})}, user);
    CHECK(offsets == "monotonic -2 500000000\nboottime 0 1\n");
    CHECK(outcome_of("true", {map_own_id(), time_offsets({.boottime = -24h * 100000})}, user) ==
          "time offsets in the child: /proc/self/timens_offsets: numerical result out of range");
}

// Nested namespaces.

TEST_CASE("no user namespace can be made within the child's") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const std::string before = read_file("/proc/sys/user/max_user_namespaces");
    const std::string nest = "unshare --user true && echo nested";
    with_each([&](StartMethod method) { return outcome_of(nest, {map_own_id()}, user, method); },
              "nested\n");
    with_each(
        [&](StartMethod method) {
            return outcome_of(nest, {map_own_id(), no_nested_user_namespaces()}, user, method);
        },
        "unshare: unshare failed: No space left on device\n");
    CHECK(read_file("/proc/sys/user/max_user_namespaces") == before);
}

TEST_CASE("the host's limit of user namespaces is not touched") {
    const std::string before = read_file("/proc/sys/user/max_user_namespaces");
    CHECK(outcome_of("true", {no_nested_user_namespaces()}, Namespaces::none) ==
          "no nested user namespaces in the child: the child is in no user namespace of its own: "
          "birth.namespaces: invalid argument");
    CHECK(read_file("/proc/sys/user/max_user_namespaces") == before);
}

TEST_CASE("a new cgroup namespace begins at the child's cgroup") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const std::string tell = "grep -v ':/$' /proc/self/cgroup; true";
    if (outcome_of(tell, {map_own_id()}, user).empty()) {
        SKIP_TEST("this process is in the root cgroup, so there is nothing to hide");
    }
    with_each(
        [&](StartMethod method) {
            return outcome_of(tell, {map_own_id(), new_cgroup_namespace()}, user, method);
        },
        "");
}
