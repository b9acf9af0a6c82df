#pragma once

#include <csignal>

#include <chrono>
#include <optional>
#include <vector>

/// How a program is made to end: SpawnOptions::ending and Process::stop().
///
///     .ending = {.scope = syncspawn::KillScope::process_group,
///                .stop = {syncspawn::Stop::terminate(5s), syncspawn::Stop::kill()}}

namespace syncspawn {

/// One thing to do about a program that is to end. Plain data; Stop makes the usual ones.
struct StopAction {
    int signal = 0;  ///< sent to the kill scope; 0: none
    /// How long to wait for the end then, before the next action; no limit if not set.
    std::optional<std::chrono::nanoseconds> within{};

    friend bool operator==(const StopAction&, const StopAction&) = default;
};

/// What to do about a program that is to end: in order, each action for at most its time, until the
/// program has ended. If it still runs after the last, it runs on.
///
///     {}                                      // let it run on
///     {Stop::kill()}                          // at once
///     {Stop::terminate(5s), Stop::kill()}     // ask, and do not take no for an answer
///     {Stop::wait(1s), Stop::signal(SIGINT, 2s), Stop::terminate(2s), Stop::kill()}
///     {Stop::wait()}                          // for as long as it takes
///
/// A signal wakes a program that is stopped. No time is lost on one that cannot see the signal: if it may
/// not be signalled any more, because it has changed its user; or if it is the first process of a pid
/// namespace and neither handles nor blocks it (the kernel drops it then), as far as /proc tells. Once the
/// program has ended, a SIGKILL that is still to come goes to what the kill scope has left.
using StopActions = std::vector<StopAction>;

/// Makes stop actions.
struct Stop {
    /// No signal: it may end by itself.
    static StopAction wait() noexcept { return {0, std::nullopt}; }
    static StopAction wait(std::chrono::nanoseconds within) noexcept { return {0, within}; }
    static StopAction signal(int signal, std::chrono::nanoseconds within) noexcept {
        return {signal, within};
    }
    static StopAction terminate(std::chrono::nanoseconds within) noexcept {
        return {SIGTERM, within};
    }
    /// SIGKILL, and wait for the end. That may take for ever in the freezer of cgroup v1 and in a call
    /// that nothing interrupts: signal(SIGKILL, time) has a limit.
    static StopAction kill() noexcept { return {SIGKILL, std::nullopt}; }
};

/// What the signals reach by which the library ends a program, or the child of a failed launch. With a pid
/// namespace at birth a SIGKILL always reaches everything in it.
enum class KillScope {
    process,  ///< the program; what it started in turn is out of reach
    /// The child leads a new process group, and all of that is meant. It can then not call setsid(2)
    /// (EPERM): ask for `session`.
    process_group,
    session,  ///< the child leads a new session (setsid(2)), and its process group is meant
    /// Every process in the cgroup `birth.cgroup` and in those below it, which nothing leaves by setsid(2).
    /// The cgroup must be the launch's own: whatever is in it is killed. A program that has changed its
    /// user is reached, too, if cgroup.kill is this process's to write (Linux 5.14). If this process itself
    /// is in the cgroup, the launch fails with EINVAL; if it gets there later, signals go to the program
    /// alone. Only the program's own end is waited for; that of the others shows in cgroup.events.
    cgroup,
};

/// How the program ends, if not by itself.
struct Ending {
    KillScope scope = KillScope::process;
    /// The program is killed when this process ends (PR_SET_PDEATHSIG, which an execve of a set-user-ID
    /// program clears). Tied to the process, not to the thread that calls spawn(): unless that is the
    /// first thread of the process, a thread of the library starts the child, which then inherits its
    /// CPU affinity, scheduling policy and priority, personality(2) and timer slack. If that thread is
    /// unlike the caller in credentials, capabilities, seccomp filters, namespaces or open files, or
    /// /proc does not tell, the launch fails with EPERM; Landlock does not show there. An execve of this
    /// process is its end for such a child, as is pthread_exit(3) of the first thread for those that it
    /// started.
    bool die_with_parent = false;
    /// What the destructor of its Process does with a program that still runs. It cannot tell of errors: a
    /// program that may not be signalled any more is left alone.
    StopActions stop{Stop::kill()};
};

}  // namespace syncspawn
