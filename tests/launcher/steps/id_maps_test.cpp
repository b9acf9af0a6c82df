#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using steps::IdMaps;
using steps::IdRange;

namespace {

// The program's output, or the error of the launch: as text, for peers.
std::string outcome_of(const std::string& text, Step step, StartMethod method = {}) {
    SpawnOptions options = shell(text);
    options.birth = {.method = method, .namespaces = Namespaces::user};
    options.streams.output = Stdio::pipe();
    SpawnError error;
    Process process = SyncedSpawner(std::move(options)).step(std::move(step)).spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

bool are_forbidden() {
    return outcome_of("true", steps::map_caller()).starts_with("start the child");
}

#define SKIP_WITHOUT_USER_NAMESPACES()                     \
    if (are_forbidden()) {                                 \
        SKIP_TEST("this machine forbids user namespaces"); \
    }

std::string map_line(unsigned inside, unsigned outside, unsigned count) {
    return std::to_string(inside) + " " + std::to_string(outside) + " " + std::to_string(count) +
           "\n";
}

const std::string show_maps =
    "for f in uid gid; do while read a b c; do echo $a $b $c; done </proc/self/${f}_map; done";

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("map_root makes the caller root in there, and map_caller leaves it who it is") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const unsigned user = geteuid();
    const unsigned group = getegid();
    for (const StartMethod method : start_methods()) {
        CHECK(outcome_of(show_maps, steps::map_root(), method) ==
              map_line(0, user, 1) + map_line(0, group, 1));
        CHECK(outcome_of(show_maps, steps::map_caller(), method) ==
              map_line(user, user, 1) + map_line(group, group, 1));
    }
    Peer peer([] {
        become_ordinary_user();
        const std::string id = std::to_string(geteuid());
        expect_same(outcome_of("id -u; id -g", steps::map_root()).c_str(), "0\n0\n");
        expect_same(outcome_of("id -u", steps::map_caller()).c_str(), (id + "\n").c_str());
        expect_same(outcome_of("cat /proc/self/setgroups", steps::map_root()).c_str(), "deny\n");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("who has CAP_SETGID keeps setgroups(2) in the namespace") {
    if (geteuid() != 0) {
        SKIP_TEST("only root has the capability");
    }
    SKIP_WITHOUT_USER_NAMESPACES();
    CHECK(outcome_of("cat /proc/self/setgroups", steps::map_root()) == "allow\n");
}

TEST_CASE("later parts of the child find the map, in whatever memory") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const StartMethod method : start_methods()) {
        SyncedSpawner spawner(
            {.program = "true", .birth = {.method = method, .namespaces = Namespaces::user}});
        spawner.step(steps::map_root());
        spawner.step({.name = "look", .child = shared_memory([](ChildSide& side) {
                                          return geteuid() == 0 ? side.done()
                                                                : side.fail(EIO, "geteuid");
                                      })});
        for (int launch = 0; launch < 3; ++launch) {
            Process process = spawner.spawn();
            CHECK(process.start_method() == method);
            CHECK(process.wait().success());
        }
    }
}

TEST_CASE("ranges are mapped for who is privileged, and a list that is empty is not written") {
    if (geteuid() != 0) {
        SKIP_TEST("only root may map ranges");
    }
    SKIP_WITHOUT_USER_NAMESPACES();
    const IdMaps maps{
        .users = {{.inside = 0, .outside = 100000, .count = 10}, {.inside = 10, .outside = 0}},
        .groups = {{.inside = 5, .outside = 200000, .count = 7}}};
    CHECK(outcome_of(show_maps, steps::map_ids(maps)) ==
          map_line(0, 100000, 10) + map_line(10, 0, 1) + map_line(5, 200000, 7));
    CHECK(outcome_of(show_maps, steps::map_ids({.users = {{.outside = 0}}})) == map_line(0, 0, 1));
    CHECK(outcome_of(show_maps, steps::map_ids({.groups = {{.outside = 0}}})) == map_line(0, 0, 1));
}

TEST_CASE("without privileges the error says what ranges take") {
    SKIP_WITHOUT_USER_NAMESPACES();
    Peer peer([] {
        become_ordinary_user();
        const std::string error =
            outcome_of("true", steps::map_ids({.users = {{.outside = geteuid(), .count = 2}}}));
        expect(error.starts_with("id maps in the parent: /proc/"));
        expect(contains(error, "/uid_map: operation not permitted"));
        expect(contains(error, "map_subordinate_ids"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a child that is in no user namespace of its own is told so") {
    const SpawnError error = failure_of(SyncedSpawner({.program = "true"}).step(steps::map_root()));
    CHECK(error.code() == std::errc::invalid_argument);
    CHECK(contains(error.what(), "birth.namespaces"));
}

TEST_CASE("without /proc the launch fails and says so") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        cover_proc();
        const std::string error = outcome_of("true", steps::map_root());
        if (error.starts_with("start the child")) {
            leave_out_here("an ordinary user covers /proc in a user namespace, which has no map");
        }
        expect(contains(error, "/proc is not there"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a map that the kernel could only refuse is misuse") {
    const auto is_refused = [](const IdMaps& maps) {
        CHECK_THROWS_AS((void)steps::map_ids(maps), std::invalid_argument);
        CHECK_THROWS_AS((void)steps::map_subordinate_ids(maps), std::invalid_argument);
    };
    is_refused({});
    is_refused({.users = {{.outside = 1, .count = 0}}});
    is_refused({.users = {{.inside = 4294967295, .outside = 1}}});
    is_refused({.groups = {{.inside = 0, .outside = 4294967290, .count = 6}}});
    is_refused({.users = {{.inside = 0, .outside = 10, .count = 5}, {.inside = 4, .outside = 50}}});
    is_refused({.users = {{.inside = 9, .outside = 50}, {.inside = 0, .outside = 46, .count = 5}}});
    is_refused({.users = std::vector<IdRange>(341)});
    CHECK_NOTHROW((void)steps::map_ids({.groups = {{.outside = 4294967290, .count = 5}}}));
}
