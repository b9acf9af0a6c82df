// What of Birth::pid_namespace is refused, and by which words.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <system_error>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/pid_namespace.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

SpawnOptions program_in(int pid_namespace, bool die_with_parent = false) {
    SpawnOptions options{.program = "true"};
    options.birth.pid_namespace = pid_namespace;
    options.ending.die_with_parent = die_with_parent;
    return options;
}

UniqueFd open_to_read(const char* path) { return UniqueFd(open(path, O_RDONLY | O_CLOEXEC)); }

// By the thread of either kind.
void expect_refusal(int pid_namespace, const std::string& text) {
    for (const bool die_with_parent : {false, true}) {
        const SpawnError error = failure_of(program_in(pid_namespace, die_with_parent));
        expect(error.stage() == Stage::start);
        expect_same(error.what(), ("start the child: " + text).c_str());
    }
}

}  // namespace

TEST_CASE("what does not go together with a pid namespace is refused by the constructor") {
    SpawnOptions options = program_in(STDIN_FILENO);
    const auto refusal = [&] {
        try {
            (void)SyncedSpawner(options);
        } catch (const std::invalid_argument& refused) {
            return std::string(refused.what());
        }
        return std::string();
    };
    CHECK(refusal().empty());
    SUBCASE("shared memory") {
        options.birth.method = StartMethod::shared_memory;
        CHECK(refusal().find("copied memory") != std::string::npos);
    }
    SUBCASE("a new pid namespace") {
        options.birth.namespaces = Namespaces::pid | Namespaces::uts;
        CHECK(refusal().find("cannot have a new one") != std::string::npos);
    }
    SUBCASE("a reaper") {
        options.birth.first_process = FirstProcess::reaper;
        CHECK(refusal().find("reaper") != std::string::npos);
    }
}

TEST_CASE("a descriptor that is none is named") {
    CHECK(std::string(failure_of(program_in(1000)).what())
              .find("descriptor 1000 of the pid namespace") != std::string::npos);
}

TEST_CASE("what is no pid namespace is refused, and said so") {
    Peer peer([] {
        for (const char* const path : {"/dev/null", "/proc/self/ns/uts"}) {
            expect_refusal(open_to_read(path).get(),
                           "setns: pid namespace: invalid argument (the descriptor is neither that "
                           "of a pid namespace below this process's own (/proc/PID/ns/pid) nor, "
                           "from Linux 5.8 on, a pidfd of a process in one)");
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("who lacks the privilege is told which") {
    Peer peer([] {
        become_ordinary_user();
        const std::string text =
            "setns: pid namespace: operation not permitted (it takes CAP_SYS_ADMIN in the user "
            "namespace of this process and in the one that the pid namespace belongs to: a process "
            "in there may launch the program)";
        expect_refusal(open_to_read("/proc/self/ns/pid").get(), text);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("who has the privilege in a user namespace below is told so") {
    Peer peer([] {
        become_ordinary_user();
        enter_own_user_namespace();
        expect_refusal(
            open_to_read("/proc/self/ns/pid").get(),
            "setns: pid namespace: operation not permitted (this process has "
            "CAP_SYS_ADMIN, but not in the user namespace that the pid namespace belongs "
            "to; or a seccomp filter or a container forbids setns(2))");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("one's own pid namespace will do") {
    const UniqueFd own = open_to_read("/proc/self/ns/pid");
    SpawnError error;
    Process process = SyncedSpawner(program_in(own.get())).spawn(error);
    if (error.code() == std::errc::operation_not_permitted) {
        SKIP_TEST("this user has no privileges where its own pid namespace belongs to");
    }
    REQUIRE_FALSE(error);
    CHECK(process.wait().success());
}

TEST_CASE("one that is not below one's own will not do") {
    Peer peer = peer_that_may_enter([] {
        const PidNamespace box;
        expect(unshare(CLONE_NEWPID) == 0);
        Peer beside([&] {
            expect_refusal(box.file(),
                           "setns: pid namespace: invalid argument (a child can be born only into "
                           "the pid namespace of this process, or into one below that)");
        });
        expect_same(beside.ending().c_str(), reached_the_end.c_str());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a process whose children are born elsewhere can start no thread, and is told so") {
    Peer peer = peer_that_may_enter([] {
        const PidNamespace box;
        expect(setns(box.file(), CLONE_NEWPID) == 0);
        expect_refusal(box.file(),
                       "pthread_create: invalid argument (this process's children are to be in "
                       "another pid namespace (unshare(2)), so it can start no thread)");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a namespace whose first process has ended is named") {
    Peer peer = peer_that_may_enter([] {
        PidNamespace box;
        box.kill_first();
        box.await_end();
        expect_refusal(box.file(),
                       "fork: cannot allocate memory (the first process of the pid namespace has "
                       "ended; or there is no memory)");
        expect_refusal(box.pidfd(),
                       "setns: pid namespace: no such process (the process of this pidfd has "
                       "ended)");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
