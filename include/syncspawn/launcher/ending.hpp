#pragma once

#include <csignal>

#include <chrono>
#include <optional>
#include <vector>

/// How a program is made to end: SpawnOptions::ending, and Process::stop() by hand.
///
///     #include <chrono>
///     #include <syncspawn/launcher.hpp>
///
///     using namespace std::chrono_literals;
///     using syncspawn::Stop;
///
///     int main() {
///         const syncspawn::SyncedSpawner spawner(
///             {.program = "sh",
///              .arguments = {"-c", "sleep 1000 & wait"},
///              .ending = {.scope = syncspawn::KillScope::process_group,
///                         .stop = {Stop::terminate(5s), Stop::kill()}}});
///         const syncspawn::Process server = spawner.spawn();
///         // ... your work ...
///         return 0;  // SIGTERM to the shell and its sleep; five seconds later, if need be, SIGKILL
///     }
///
/// `scope` is who is signalled, `stop` is what is done, and in which order.

namespace syncspawn {

/// One action of a list: send a signal, then wait. Plain data; Stop makes the usual ones.
struct StopAction {
    int signal = 0;  ///< goes to the kill scope; 0: none is sent
    /// How long to wait for the end before the next action; not set: for as long as it takes.
    std::optional<std::chrono::nanoseconds> within{};

    friend bool operator==(const StopAction&, const StopAction&) = default;
};

/// How to end a program. The actions are taken in order, each for its time at most, until the program has
/// ended. If it still runs after the last one, it runs on.
///
///     {}                                      // let it run on
///     {Stop::kill()}                          // at once
///     {Stop::terminate(5s), Stop::kill()}     // ask, and do not take no for an answer
///     {Stop::wait(1s), Stop::signal(SIGINT, 2s), Stop::terminate(2s), Stop::kill()}
///     {Stop::wait()}                          // for as long as it takes
///
/// A stopped program is woken (SIGCONT), so that it can act on the signal. If the signal cannot reach it, the
/// next action follows at once: if it has changed its user and may not be signalled any more (EPERM), or if
/// it is the first process of a pid namespace and neither handles nor blocks the signal, since the kernel
/// drops that. (The latter with KillScope::process, and as far as /proc tells. With a reaper it reaches
/// the program: FirstProcess.)
///
/// Once the program has ended, a SIGKILL later in the list still goes to what is left of the kill scope.
using StopActions = std::vector<StopAction>;

/// Makes stop actions.
struct Stop {
    /// No signal: the program may end by itself.
    static StopAction wait() noexcept { return {0, std::nullopt}; }
    static StopAction wait(std::chrono::nanoseconds within) noexcept { return {0, within}; }
    static StopAction signal(int signal, std::chrono::nanoseconds within) noexcept {
        return {signal, within};
    }
    static StopAction terminate(std::chrono::nanoseconds within) noexcept {
        return {SIGTERM, within};
    }
    /// SIGKILL, and wait for the end. That takes for ever if the program is in the freezer of cgroup v1, or
    /// in a call that nothing interrupts; signal(SIGKILL, time) has a limit.
    static StopAction kill() noexcept { return {SIGKILL, std::nullopt}; }
};

/// Who is signalled when the library ends a program, or the child of a failed launch. If the program is
/// born into a pid namespace of its own, SIGKILL ends everything in that namespace, whatever you choose here.
enum class KillScope {
    process,  ///< the program alone; what it has started runs on
    /// The program and what it has started, except what has left its process group. The child leads a new
    /// group, so it cannot call setsid(2) (EPERM): use `session` then.
    process_group,
    session,  ///< the same, and the child leads a new session (setsid(2))
    /// Everything in the cgroup `birth.cgroup` (or that of ParentSide::set_cgroup()) and below; nothing escapes
    /// from it by setsid(2). Give it a cgroup of its own, since whatever is in there is killed.
    ///  - It also reaches a program that has changed its user, if you may write cgroup.kill (Linux 5.14).
    ///  - If this process itself is in the cgroup, the launch fails with EINVAL. If it gets there later,
    ///    signals go to the program alone.
    ///  - A threaded cgroup is refused (EOPNOTSUPP): nobody may ask what is in it.
    ///  - What belongs to another user, or is in a pid namespace out of sight, is ended through
    ///    cgroup.kill. After that Linux 6.18 kills whatever is launched into the cgroup: use a new one.
    ///  - Only the program's own end is waited for. cgroup.events shows that of the others.
    cgroup,
};

/// How the program ends, if not by itself.
struct Ending {
    KillScope scope = KillScope::process;
    /// True: when this process ends, however it ends, the program is killed. (By PR_SET_PDEATHSIG, which the
    /// kernel clears when the program executes a set-user-ID file.)
    ///
    /// It does not matter which thread calls spawn(), or when that ends. The program is also killed when this
    /// process executes another program, and, if the first thread launched it, when that calls
    /// pthread_exit(3).
    ///
    /// To make that so, spawn() in any other thread than the first has a thread of the library start the
    /// child, which inherits that thread's CPU affinity, scheduling policy and priority, personality(2) and
    /// timer slack. If the two threads differ in credentials, capabilities, seccomp filters, namespaces or
    /// open files, or /proc does not tell, the launch fails with EPERM. A difference in Landlock goes
    /// unnoticed.
    bool die_with_parent = false;
    /// What the destructor of Process does with a program that still runs. A destructor reports no error: a
    /// program that may not be signalled any more is left alone.
    StopActions stop{Stop::kill()};
};

}  // namespace syncspawn
