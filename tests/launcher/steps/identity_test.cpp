#include <doctest/doctest.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/shared_memory.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using steps::Identity;

namespace {

const std::string show_ids =
    "while read key a b c d; do case $key in Uid:|Gid:) echo $a $b $c $d;; Groups:) echo $a $b "
    "$c;; "
    "esac; done </proc/self/status";

std::string outcome_of(SpawnOptions options, std::vector<Step> steps) {
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    for (Step& step : steps) {
        spawner.step(std::move(step));
    }
    SpawnError error;
    Process process = spawner.spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

std::string outcome_of(Identity identity) {
    return outcome_of(shell(show_ids), {steps::become(std::move(identity))});
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

#define SKIP_UNLESS_ROOT()                               \
    if (geteuid() != 0) {                                \
        SKIP_TEST("only root may become somebody else"); \
    }

}  // namespace

TEST_CASE("root becomes somebody for good, with these groups and no others") {
    SKIP_UNLESS_ROOT();
    const int dumpable = prctl(PR_GET_DUMPABLE);
    CHECK(outcome_of({.user = 1234, .group = 2345}) ==
          "1234 1234 1234 1234\n2345 2345 2345 2345\n\n");
    CHECK(outcome_of({.user = 1234, .group = 2345, .groups = std::vector<gid_t>{7, 8}}) ==
          "1234 1234 1234 1234\n2345 2345 2345 2345\n7 8\n");
    CHECK(outcome_of({.group = 2345}) == "0 0 0 0\n2345 2345 2345 2345\n\n");
    CHECK(prctl(PR_GET_DUMPABLE) == dumpable);
    CHECK(geteuid() == 0);
}

TEST_CASE("groups that are not set stay") {
    SKIP_UNLESS_ROOT();
    Peer peer([] {
        const gid_t groups[]{11, 12};
        expect(setgroups(2, groups) == 0);
        expect_same(outcome_of({.user = 5, .group = 6, .groups = std::nullopt}).c_str(),
                    "5 5 5 5\n6 6 6 6\n11 12\n");
        expect_same(outcome_of({.user = 5, .group = 6}).c_str(), "5 5 5 5\n6 6 6 6\n\n");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a name stands for what the databases say, and a name that is none is misuse") {
    CHECK(steps::identity_of("root").user == 0U);
    CHECK(steps::identity_of("root").group == 0U);
    CHECK(steps::group_of("root") == 0);
    CHECK_THROWS_AS((void)steps::become("no such user"), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::identity_of(""), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::identity_of(std::string("root\0x", 6)), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::group_of("no such group"), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::become({.groups = std::nullopt}), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::become(Identity{.user = -1U}), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::become(Identity{.group = -1U}), std::invalid_argument);
    CHECK_THROWS_AS((void)steps::become(Identity{.groups = {{7, -1U}}}), std::invalid_argument);
    if (geteuid() == 0) {
        const Identity daemon = steps::identity_of("daemon");
        const std::string user = std::to_string(daemon.user.value());
        CHECK(outcome_of(shell("id -u"), {steps::become("daemon")}) == user + "\n");
    }
}

TEST_CASE("an ordinary user stays, and is told why it cannot become another") {
    Peer peer([] {
        become_ordinary_user({4321});
        const unsigned user = geteuid();
        const unsigned group = getegid();
        const std::string stays =
            outcome_of({.user = user, .group = group, .groups = std::nullopt});
        expect(stays.starts_with(std::to_string(user) + " "));
        const std::string other = outcome_of({.user = user + 1, .groups = std::nullopt});
        expect_same(other.c_str(), "identity in the child: setresuid: operation not permitted");
        if (getgroups(0, nullptr) > 0) {
            const std::string groups = outcome_of({.user = user});
            expect(groups.starts_with("identity in the child: setgroups"));
            expect(contains(groups, ".groups = nullopt"));
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("if user 0 could be taken again, the program does not run") {
    SKIP_UNLESS_ROOT();
    Peer peer([] {
        if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0) {
            leave_out_here("securebits cannot be set");
        }
        expect(contains(outcome_of({.user = 1234, .groups = std::nullopt}),
                        "the user 0 can be taken again"));
        expect(
            contains(outcome_of({.user = 1234, .group = 2345}), "the group 0 can be taken again"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a machine that says yes to setgroups and does nothing is seen through") {
    SKIP_UNLESS_ROOT();
    Peer peer([] {
        const gid_t groups[]{11, 12};
        expect(setgroups(2, groups) == 0);
        refuse_system_calls({SYS_setgroups}, 0);
        const char* const problem = "the supplementary groups are others afterwards";
        expect(contains(outcome_of({.user = 5, .group = 6}), problem));
        expect(contains(outcome_of({.group = 6, .groups = {{11, 13}}}), problem));
        expect(!contains(outcome_of({.group = 6, .groups = {{12, 11}}}), problem));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("beside threads and in a user namespace it changes the child alone") {
    std::atomic<bool> is_over{false};
    std::thread thread([&] { is_over.wait(false); });
    SpawnOptions options = shell("id -u; id -g");
    options.birth.namespaces = Namespaces::user;
    const std::string outcome = outcome_of(
        options,
        {steps::map_root(), steps::become({.user = 0, .group = 0, .groups = std::nullopt})});
    is_over = true;
    is_over.notify_all();
    thread.join();
    if (outcome.starts_with("start")) {
        SKIP_TEST("this machine forbids user namespaces");
    }
    CHECK(outcome == "0\n0\n");
}

TEST_CASE("ids in braces need no type, not even where they might spell a string") {
    CHECK(steps::become({.user = 0}).name == "identity");
    CHECK(steps::become({.group = 1}).name == "identity");
    CHECK(steps::become({.user = 1000, .group = 1000}).name == "identity");
    CHECK(steps::become({.user = 0, .group = 0, .groups = {{0, 1}}}).name == "identity");
    CHECK(steps::become(std::string("root")).name == "identity");
}

TEST_CASE("it shares memory where that is root's, and copies it for very many groups") {
    SKIP_UNLESS_ROOT();
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    const auto method_with = [](std::size_t count) {
        std::vector<gid_t> groups;
        for (std::size_t group = 1; group <= count; ++group) {
            groups.push_back(static_cast<gid_t>(group));
        }
        SyncedSpawner spawner({.program = "true"});
        spawner.step(steps::become({.user = 1234, .group = 2345, .groups = groups}));
        Process process = spawner.spawn();
        CHECK(process.wait().success());
        return process.start_method();
    };
    CHECK(method_with(0) == StartMethod::shared_memory);
    CHECK(method_with(1024) == StartMethod::shared_memory);
    CHECK(method_with(1025) == StartMethod::copied_memory);
}

TEST_CASE("for an ordinary user it copies memory") {
    Peer peer([] {
        become_ordinary_user({});
        SyncedSpawner spawner({.program = "true"});
        spawner.step(steps::become({.user = geteuid(), .groups = std::nullopt}));
        Process process = spawner.spawn();
        expect(process.start_method() == StartMethod::copied_memory);
        expect(process.wait().success());
    });
    CHECK(peer.ending() == reached_the_end);
}
