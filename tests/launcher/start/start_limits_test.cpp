// How a start goes when it meets a limit: of processes, of descriptors, or of what somebody does to its
// child.

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/system_call_trap.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

SyncedSpawner with_part(SpawnOptions options) {
    SyncedSpawner spawner(std::move(options));
    return spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
}

void expect_launch(const SyncedSpawner& spawner, StartMethod method, int line = __builtin_LINE()) {
    SpawnError error;
    Process process = spawner.spawn(error);
    expect_same(error.what(), "no error", line);
    expect_same(static_cast<int>(process.start_method()), static_cast<int>(method), line);
    expect(process.wait().success(), line);
}

// As a user who has no process yet, who may have so many. Only root can become one.
bool become_user_with(rlim_t processes) {
    const auto nobody_else = static_cast<uid_t>(1'000'000'000 + getpid());
    const rlimit limit{processes, processes};
    return setresuid(nobody_else, nobody_else, nobody_else) == 0 &&
           setrlimit(RLIMIT_NPROC, &limit) == 0;
}

// A thread without which no process of this filter ends: it stops the first that wants to, and lets the
// others go.
void stop_the_first_that_exits() {
    std::array filter{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    const auto listener = static_cast<int>(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    expect(listener >= 0);
    std::thread([listener] {
        for (bool is_first = true;; is_first = false) {
            seccomp_notif request{};
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) {
                continue;
            }
            if (is_first) {
                kill(static_cast<pid_t>(request.pid), SIGSTOP);
                continue;  // an answer might be faster than the signal
            }
            seccomp_notif_resp response{};
            response.id = request.id;
            response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
        }
    }).detach();
}

}  // namespace

TEST_CASE("where there is room for one process, it is the child") {
    if (geteuid() != 0) {
        SKIP_TEST("only root can become a user without processes");
    }
    if (detail::is_thread_sanitized()) {
        SKIP_TEST("the sanitizer has a thread of its own");
    }
    SUBCASE("of a start that shares memory, whose lender takes the room at first") {
        Peer peer([] {
            expect(become_user_with(2));
            expect_launch(with_part({.program = "true"}), StartMethod::copied_memory);
            expect_launch(SyncedSpawner({.program = "true"}), start_methods().back());
        });
        CHECK(peer.ending() == reached_the_end);
    }
    SUBCASE("of a start that copies memory, while an idle thread has the room") {
        RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
        Peer peer([] {
            expect_launch(with_part({.program = "true"}), StartMethod::shared_memory);
            expect_same(static_cast<int>(count_threads()), 2);
            expect(become_user_with(2));
            expect_launch(
                with_part({.program = "true", .birth = {.method = StartMethod::copied_memory}}),
                StartMethod::copied_memory);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("of the threads that launches at once had, few stay") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        constexpr int at_once = 20;
        const std::size_t before = count_threads();
        std::atomic<int> inside{0};
        SyncedSpawner spawner(with_shared_memory({.program = "true"}));
        spawner.step({.name = "x", .child = shared_memory([&](ChildSide& side) {
                                       ++inside;
                                       return comes_true([&] { return inside == at_once; })
                                                  ? side.done()
                                                  : side.fail(ETIMEDOUT, "not at once");
                                   })});
        std::vector<std::thread> threads;
        for (int number = 0; number < at_once; ++number) {
            threads.emplace_back([&] { expect(spawner.spawn().wait().success()); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        expect(comes_true([&] { return count_threads() <= before + 4; }));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where there is no descriptor for its pidfd, there is no child") {
    for (const int error : {EMFILE, ENOMEM}) {
        Peer peer([&] {
            refuse_system_calls({SYS_pidfd_open}, error);
            const SpawnError failure =
                failure_of({.program = "true", .birth = {.method = StartMethod::copied_memory}});
            expect(failure.code().value() == error && failure.stage() == Stage::start);
            expect(std::string(failure.what()).starts_with("start the child: pidfd_open: "));
            expect_same(static_cast<int>(count_children()), 0);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("where there are no pidfds, there is a child without") {
    for (const int error : {ENOSYS, EPERM}) {
        Peer peer([&] {
            refuse_system_calls({SYS_pidfd_open}, error);
            expect_launch(
                SyncedSpawner({.program = "true", .birth = {.method = StartMethod::copied_memory}}),
                StartMethod::copied_memory);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("if the child that tries sharing out is stopped, memory is copied this time") {
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    Peer peer([] {
        stop_the_first_that_exits();
        expect_launch(with_part({.program = "true"}), StartMethod::copied_memory);
        expect_launch(with_part({.program = "true"}), StartMethod::shared_memory);
        expect_same(static_cast<int>(count_children()), 0);
    });
    CHECK(peer.ending() == reached_the_end);
}
