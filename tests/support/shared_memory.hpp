#pragma once

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "launcher/child/sanitizers.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"

// For tests of children that share the parent's memory until execve.

namespace syncspawn::testing {

// Asked for by its name, so that no other start is taken in silence.
inline SpawnOptions with_shared_memory(SpawnOptions options) {
    options.birth.method = StartMethod::shared_memory;
    return options;
}

// Whether this machine can, found out without the library: else nothing would fail where the library
// never does it.
inline bool memory_can_be_shared() {
    utsname system{};
    int major = 0;
    int minor = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers
    if (detail::is_thread_sanitized() || uname(&system) < 0 ||
        std::sscanf(system.release, "%d.%d", &major, &minor) != 2 || major < 5 ||
        (major == 5 && minor < 16) || value_in("/proc/self/status", "TracerPid") != "0") {
        return false;
    }
    clone_args arguments{};
    arguments.flags = CLONE_CLEAR_SIGHAND;
    arguments.exit_signal = SIGCHLD;
    const auto child = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child == 0) {
        _exit(0);
    }
    return child > 0 && waitpid(child, nullptr, 0) == child;
}

// Ends the test case early where it cannot.
#define RETURN_UNLESS_MEMORY_CAN_BE_SHARED()                                         \
    if (!memory_can_be_shared()) {                                                   \
        SKIP_TEST("no child can share memory here (Linux 5.16, clone3, no tracer)"); \
    }

// Those that can be tried here, each to be asked for by its name.
inline std::vector<StartMethod> start_methods() {
    static const bool can_share = [] {
        const bool can = memory_can_be_shared();
        if (!can) {
            leave_out("no child can share memory here: copied memory alone");
        }
        return can;
    }();
    return can_share ? std::vector{StartMethod::copied_memory, StartMethod::shared_memory}
                     : std::vector{StartMethod::copied_memory};
}

// How many threads this process has. One that was joined may still be there for a moment.
inline std::size_t count_threads() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

// Waits until `holds`; false if it never does. Leaves errno alone, and is async-signal-safe.
template <class Condition>
bool comes_true(Condition holds) noexcept {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(watchdog_seconds);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > give_up) {
            return false;
        }
        sched_yield();
    }
    return true;
}

// Keeps the two sides of a launch in step, in the memory they share.
class Turns {
public:
    // Returns when the other side has come as often; false if it never does.
    bool meet(WhichSide side) noexcept {
        const bool is_child = side == WhichSide::child;
        const int round = ++(is_child ? child_ : parent_);
        const std::atomic<int>& other = is_child ? parent_ : child_;
        return comes_true([&] { return other >= round; });
    }

private:
    std::atomic<int> child_{0};
    std::atomic<int> parent_{0};
};

}  // namespace syncspawn::testing
