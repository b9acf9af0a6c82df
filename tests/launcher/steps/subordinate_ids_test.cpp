#include <doctest/doctest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

SyncedSpawner spawner_with(const std::string& text, Step step) {
    SpawnOptions options = shell(text);
    options.birth.namespaces = Namespaces::user;
    options.streams.output = Stdio::pipe();
    return SyncedSpawner(std::move(options)).step(std::move(step));
}

std::string outcome_of(const std::string& text, Step step) {
    SpawnError error;
    Process process = spawner_with(text, std::move(step)).spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// In a peer of root: what /etc/subuid and /etc/subgid say, for it alone. Then it is an ordinary user.
void become_user_with(const TemporaryDirectory& directory, const std::string& users,
                      const std::string& groups) {
    expect(unshare(CLONE_NEWNS) == 0);
    make_mounts_private("/");
    for (const auto& [text, path] :
         {std::pair{users, "/etc/subuid"}, std::pair{groups, "/etc/subgid"}}) {
        const std::string file = directory.file(std::string(path).substr(5), text, 0644);
        if (mount(file.c_str(), path, nullptr, MS_BIND, nullptr) < 0) {
            leave_out_here("there is no /etc/subuid to be covered");
        }
    }
    become_ordinary_user();
}

// Programs of ours that are found instead of newuidmap and newgidmap.
void take_helpers(const TemporaryDirectory& directory, const std::string& script) {
    for (const char* const name : {"newuidmap", "newgidmap"}) {
        directory.file(name, "#!/bin/sh\n" + script + "\n", 0755);
    }
    const std::string path = directory.path() + ":" + getenv("PATH");
    setenv("PATH", path.c_str(), 1);
}

steps::IdMaps two_ids() {
    return {.users = {{.outside = geteuid()}, {.inside = 1, .outside = 300000}},
            .groups = {{.outside = getegid()}, {.inside = 1, .outside = 300000}}};
}

bool are_helpers_installed() {
    return std::system("command -v newuidmap >/dev/null && command -v newgidmap >/dev/null") == 0;
}

#define SKIP_UNLESS_ROOT_WITH_HELPERS()                                        \
    if (geteuid() != 0) {                                                      \
        SKIP_TEST("only root can say for a while what is in /etc/subuid");     \
    }                                                                          \
    if (!are_helpers_installed()) {                                            \
        SKIP_TEST("newuidmap is not installed: in Debian the package uidmap"); \
    }

}  // namespace

TEST_CASE("the caller is root in there, and has all its subordinate ids from 1 on") {
    SKIP_UNLESS_ROOT_WITH_HELPERS();
    const TemporaryDirectory directory;
    Peer peer([&] {
        become_user_with(directory, "daemon:1:1\nnobody:300000:1000\n65534:500000:50\n",
                         "nobody:400000:2000\nbad line\nnobody:x:1\n");
        expect_same(outcome_of("while read a b c; do echo $a $b $c; done </proc/self/uid_map; "
                               "while read a b c; do echo $a $b $c; done </proc/self/gid_map; "
                               "cat /proc/self/setgroups",
                               steps::map_subordinate_ids())
                        .c_str(),
                    "0 65534 1\n1 300000 1000\n1001 500000 50\n0 65534 1\n1 400000 2000\nallow\n");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("ids that newuidmap does not allow are refused in its own words") {
    SKIP_UNLESS_ROOT_WITH_HELPERS();
    const TemporaryDirectory directory;
    Peer peer([&] {
        become_user_with(directory, "nobody:300000:10\n", "nobody:300000:10\n");
        steps::IdMaps maps = two_ids();
        maps.users[1].count = 11;
        const std::string error = outcome_of("true", steps::map_subordinate_ids(maps));
        expect(error.starts_with("id maps in the parent: newuidmap: "));
        expect(contains(error, "300000"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("who has no subordinate ids is told which file lacks them") {
    Peer peer([] {
        if (geteuid() == 0) {
            expect(setresuid(64999, 64999, 64999) == 0);
        }
        const SpawnError error = failure_of(spawner_with("true", steps::map_subordinate_ids()));
        if (error.stage() == Stage::start) {
            leave_out_here("this machine forbids user namespaces");
        }
        if (geteuid() == 64999) {
            expect(error.code() == std::errc::no_such_file_or_directory);
            expect(contains(error.what(), "/etc/subuid has no ids for '64999'"));
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("where the programs are not installed, the error names the package") {
    Peer peer([] {
        setenv("PATH", "/nonexistent", 1);
        const SpawnError error =
            failure_of(spawner_with("true", steps::map_subordinate_ids(two_ids())));
        if (error.stage() == Stage::start) {
            leave_out_here("this machine forbids user namespaces");
        }
        expect_same(error.what(),
                    "id maps in the parent: newuidmap is not installed (Debian: the package "
                    "uidmap): no such file or directory");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a program that hangs holds up no event loop, and ends with the launch") {
    const TemporaryDirectory directory;
    const NothingIsLeft nothing_is_left;
    Peer peer([&] {
        take_helpers(directory, "exec sleep 1000");
        SpawnOptions options{.program = "true", .birth = {.namespaces = Namespaces::user}};
        SyncedSpawner spawner(options);
        spawner.step(steps::map_subordinate_ids(two_ids()));
        Launch launch = spawner.launch();
        if (launch.advance()) {
            leave_out_here("this machine forbids user namespaces");
        }
        expect_same(static_cast<long long>(count_children()), 3);
        launch.cancel();
        while (!launch.advance()) {
            await_event(launch.descriptor());
        }
        SpawnError error;
        (void)launch.take_process(error);
        expect(bool(error));
        expect_same(static_cast<long long>(count_children()), 0);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a program that fails without a word is an error too, and so is one that does nothing") {
    const TemporaryDirectory directory;
    for (const char* const script : {"exit 1", "exit 0"}) {
        Peer peer([&] {
            take_helpers(directory, script);
            const SpawnError error =
                failure_of(spawner_with("true", steps::map_subordinate_ids(two_ids())));
            if (error.stage() == Stage::start) {
                leave_out_here("this machine forbids user namespaces");
            }
            expect(contains(error.what(), "newuidmap has failed without a word"));
            expect_same(static_cast<long long>(count_children()), 0);
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}

TEST_CASE(
    "neither a helper that says much nor one that leaves a process behind holds up a launch") {
    const TemporaryDirectory directory;
    for (const char* const script : {"echo no >&2; head -c 1000000 /dev/zero >&2; exit 1",
                                     "sleep 1000 & echo no >&2; exit 1"}) {
        Peer peer([&] {
            take_helpers(directory, script);
            const SpawnError error =
                failure_of(spawner_with("true", steps::map_subordinate_ids(two_ids())));
            if (error.stage() == Stage::start) {
                leave_out_here("this machine forbids user namespaces");
            }
            expect_same(error.what(), "id maps in the parent: no: operation not permitted");
            expect_same(static_cast<long long>(count_children()), 0);
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}

TEST_CASE("a map that another step has written does not pass for the one that was asked for") {
    const TemporaryDirectory directory;
    Peer peer([&] {
        take_helpers(directory, "exit 0");
        const steps::IdMaps maps = two_ids();
        SpawnOptions options{.program = "true", .birth = {.namespaces = Namespaces::user}};
        const SpawnError error = failure_of(
            SyncedSpawner(options).step(steps::map_root()).step(steps::map_subordinate_ids(maps)));
        if (error.stage() == Stage::start) {
            leave_out_here("this machine forbids user namespaces");
        }
        expect_same(error.what(),
                    "id maps in the parent: a map is written already: one step of id maps is all "
                    "there can be: operation not permitted");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("ranges of /etc/subuid that overlap fail the launch, and throw nothing before") {
    SKIP_UNLESS_ROOT_WITH_HELPERS();
    const TemporaryDirectory directory;
    Peer peer([&] {
        become_user_with(directory, "nobody:300000:10\nnobody:300005:10\n", "nobody:300000:10\n");
        expect_same(outcome_of("true", steps::map_subordinate_ids()).c_str(),
                    "id maps in the parent: /etc/subuid, /etc/subgid: id map of users: two ranges "
                    "overlap: invalid argument");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
