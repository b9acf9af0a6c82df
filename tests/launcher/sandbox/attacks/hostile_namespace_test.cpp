#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/ordinary_user.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"

// A child joins a user namespace of somebody hostile, who has every capability there: to look into the child, and to
// change its memory, which may be the launcher's.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

constexpr long untouched = 1;
constexpr long touched = 2;

// Of the launcher. The enemy is a copy of it, and knows where it is.
volatile long treasure = untouched;

struct Struggle {
    pid_t child = -1;
    bool has_read = false;
    bool has_written = false;
};

// A user namespace of an ordinary user's.
UniqueFd hostile_namespace() {
    const Gate is_made;
    const Peer owner([&] {
        become_ordinary_user();
        if (unshare(CLONE_NEWUSER) < 0) {
            is_made.open();
            leave_out_here("this machine forbids user namespaces");
        }
        is_made.open();
        pause();
    });
    expect(is_made.wait());
    return UniqueFd(
        open(("/proc/" + std::to_string(owner.pid()) + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
}

// The same user, who waits for a child to attack.
class Enemy {
public:
    void attack(pid_t child) const {
        struggle_->child = child;
        may_begin_.open();
        expect(has_ended_.wait());
    }
    [[nodiscard]] const Struggle& struggle() const { return *struggle_; }

private:
    void wait_and_attack() const {
        become_ordinary_user();
        expect(may_begin_.wait());
        long found = 0;
        long wanted = touched;
        const iovec into{&found, sizeof found};
        const iovec from{&wanted, sizeof wanted};
        const iovec theirs{const_cast<long*>(&treasure), sizeof treasure};
        const pid_t child = struggle_->child;
        struggle_->has_read =
            process_vm_readv(child, &into, 1, &theirs, 1, 0) == sizeof found && found == untouched;
        struggle_->has_written = process_vm_writev(child, &from, 1, &theirs, 1, 0) == sizeof wanted;
        has_ended_.open();
    }

    Shared<Struggle> struggle_;
    Gate may_begin_;
    Gate has_ended_;
    Peer process_{[this] { wait_and_attack(); }};
};

struct Careless {
    int user_namespace;
    const Gate& has_joined;
};

// Shares the launcher's memory, and says that others may look into it.
int join_carelessly(void* argument) {
    const auto& own = *static_cast<const Careless*>(argument);
    if (setns(own.user_namespace, CLONE_NEWUSER) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0) {
        own.has_joined.open();
        pause();
    }
    return 1;
}

void lose_without_care() {
    const UniqueFd user_namespace = hostile_namespace();
    const Enemy enemy;
    const Gate has_joined;
    Careless own{user_namespace.get(), has_joined};
    std::vector<char> stack(1 << 16);
    const pid_t child =
        clone(join_carelessly, stack.data() + stack.size(), CLONE_VM | SIGCHLD, &own);
    expect(child > 0 && has_joined.wait());
    enemy.attack(child);
    expect(kill(child, SIGKILL) == 0 && waitpid(child, nullptr, 0) == child);
    expect(enemy.struggle().has_read && enemy.struggle().has_written);
    expect_same(treasure, touched);
}

// Holds the launch where the child has joined.
Step let_attack(const Enemy& enemy) {
    return {.name = "attack",
            .child = async_signal_safe([](ChildSide&) {}),
            .parent = [&](ParentSide& side) { enemy.attack(side.child_pid()); },
            .order = StepOrder::child_first};
}

void hold_by_launcher() {
    const Enemy enemy;
    SyncedSpawner spawner({.program = "true"});
    spawner.step(steps::join_namespace(hostile_namespace()));
    spawner.step(let_attack(enemy));
    expect(spawner.spawn().wait().success());
    expect(!enemy.struggle().has_read && !enemy.struggle().has_written);
    expect_same(treasure, untouched);
}

#define SKIP_UNLESS_ROOT_CAN_JOIN()                                              \
    if (geteuid() != 0) {                                                        \
        SKIP_TEST("only root can join the user namespace of another");           \
    }                                                                            \
    if (detail::is_thread_sanitized()) {                                         \
        SKIP_TEST("a process of several threads may not join a user namespace"); \
    }

}  // namespace

TEST_CASE("who joins a user namespace carelessly is open to its owner") {
    SKIP_UNLESS_ROOT_CAN_JOIN();
    Peer peer(lose_without_care);
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE(
    "the owner of a user namespace neither reads nor writes the memory of a child that joins it") {
    SKIP_UNLESS_ROOT_CAN_JOIN();
    Peer peer(hold_by_launcher);
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
