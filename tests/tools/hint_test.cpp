#include "tools/doctor/hint.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox/mounts.hpp>
#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/sandbox/network.hpp>

#include "support/environment.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::Mount;

namespace {

constexpr Namespaces own =
    Namespaces::user | Namespaces::mount | Namespaces::pid | Namespaces::network;

// Expects that a launch with this step fails here, and that the hint says so; empty: that there is none.
void expect_hint(const std::string& cause, Step step, Namespaces namespaces = own,
                 int line = __builtin_LINE()) {
    SyncedSpawner spawner({.program = "true", .birth = {.namespaces = namespaces}});
    if ((namespaces & Namespaces::user) != Namespaces::none) {
        spawner.step(sandbox::map_own_id());
    }
    spawner.step(std::move(step));
    SpawnError error;
    const Process process = spawner.spawn(error);
    expect(static_cast<bool>(error), line);
    const std::string hint = tools::hint_after(error, spawner.options());
    const bool is_as_expected =
        cause.empty() ? hint.empty() : hint.find(cause) != std::string::npos;
    if (!is_as_expected) {
        expect_same(hint.c_str(), cause.c_str(), line);
    }
    const std::string text = tools::explanation_of(error, spawner.options());
    expect(hint.empty() ? text == error.what() : text.find(hint) != std::string::npos, line);
}

Step nothing() {
    return {.name = "nothing", .child = shared_memory([](ChildSide&) {})};
}

Step failing(int error, const char* what) {
    return {.name = "own",
            .child = shared_memory([=](ChildSide& side) { return side.fail(error, what); })};
}

}  // namespace

TEST_CASE(
    "what the capabilities in a user namespace are good for is told where they count for nothing") {
    Peer peer([] {
        stripped_user_namespaces();
        const std::string cause = "AppArmor takes away the capabilities of a user namespace";
        expect_hint(cause, sandbox::mounts({Mount::tmpfs("/tmp")}));
        expect_hint(cause, sandbox::mounts({Mount::proc("/proc")}));
        expect_hint(cause, sandbox::loopback_up());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a Landlock domain is named by a mount that it refuses") {
    Peer peer([] {
        become_ordinary_user();
        in_landlock_domain();
        expect_hint("a Landlock domain", sandbox::mounts({Mount::tmpfs("/tmp")}));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a covered /proc is named by a new one that is refused, and by nothing else") {
    Peer peer([] {
        covered_proc();
        become_ordinary_user();
        expect_hint("parts of the present /proc are covered",
                    sandbox::mounts({Mount::proc("/proc")}));
        expect_hint("", failing(EPERM, "mount"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a filter is named by a birth that it refuses, with and without a user namespace") {
    Peer peer([] {
        docker_filter();
        const std::string cause = "a seccomp filter of this process refuses it; allow unshare";
        expect_hint(cause, nothing());
        expect_hint(cause, nothing(), Namespaces::mount);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("who may not make a namespace alone is told of the other way") {
    Peer peer([] {
        become_ordinary_user();
        expect_hint("CAP_SYS_ADMIN, or a user namespace", nothing(), Namespaces::mount);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a failure that no refusal of this machine explains has no hint") {
    Peer peer([] {
        become_ordinary_user();
        docker_filter();
        expect_hint("", failing(EPERM, "POST /mounts"), Namespaces::none);
        expect_hint("", failing(ENOENT, "mount '/no/such'"), Namespaces::none);
        expect_hint("", failing(EPERM, "open '/etc/shadow'"), Namespaces::none);
        SyncedSpawner spawner({.program = "/no/such"});
        SpawnError error;
        const Process process = spawner.spawn(error);
        expect(tools::explanation_of(error, spawner.options()) == error.what());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("where no child can be made to find a hint the error is told without one") {
    Peer peer([] {
        become_ordinary_user();
        constexpr rlimit none{0, 0};
        expect(setrlimit(RLIMIT_NPROC, &none) == 0);
        SyncedSpawner spawner({.program = "true", .birth = {.namespaces = Namespaces::user}});
        SpawnError error;
        const Process process = spawner.spawn(error);
        if (error.code() != std::errc::resource_unavailable_try_again) {
            leave_out_here("this user's processes are not limited");
        }
        expect(tools::hint_after(error, spawner.options()).empty());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
