#pragma once

#include <sys/types.h>

#include <concepts>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/launcher/parent_side.hpp>
#include <syncspawn/launcher/part.hpp>
#include <syncspawn/launcher/side.hpp>

/// Steps: what the two sides do between the start of the child and its execve.
///
///     spawner.step({
///         .name = "uid map",
///         .child = syncspawn::async_signal_safe([](syncspawn::ChildSide& side) {
///             return unshare(CLONE_NEWUSER) < 0 ? side.fail("unshare") : side.done();
///         }),
///         .parent = [](syncspawn::ParentSide& side) { return write_map(side.child_pid()); },
///         .order = syncspawn::StepOrder::child_first,
///     });

namespace syncspawn {

/// What a child part promises. It runs in the child, before execve, with all signals blocked. Only
/// descriptors 0 to 2, those the options pass and those its step declares are open. It must not
/// leave a process behind that holds its descriptors. It reports failure by its result; an
/// exception is caught and reported by its what(). Unless it may share memory, it sees the parent's
/// as it was at the start, and what it writes there is lost.
enum class ChildRules {
    /// May run while it shares the parent's memory with all threads of the parent, so that the start
    /// costs the same however large the parent is. Beside what async_signal_safe allows:
    ///  - What it writes, it writes into the parent, which runs at the same time, as other launches
    ///    of the same spawner do. So it writes to nothing but its own local variables, or atomics.
    ///    errno and other thread-local variables are nobody else's, but not fresh either: they are
    ///    as an earlier launch left them, and their destructors run later, in the parent. Use none.
    ///  - It throws nothing: a kill in the midst of that would leave malloc's lock held.
    ///  - No set*id of the C library, which takes a lock and means threads that are not the child's
    ///    (the raw system call changes the child alone, but clears the parent's dumpable flag too); no
    ///    function that concerns threads; nothing that keeps a lock or ends the process by exit(3).
    ///  - Nothing that belongs to memory as a whole: PR_SET_DUMPABLE, PR_SET_THP_DISABLE, mlockall(2),
    ///    mprotect(2), /proc/self/oom_score_adj. It would be the parent's.
    ///  - No setns(2) into a time namespace (EUSERS).
    ///  - Neither side moves the child into another cgroup: see ParentSide::child_pid().
    ///  - At most 128 KiB of stack.
    /// A crash or a kill ends the child alone and is reported as such (Linux 5.16).
    shared_memory,
    /// Calls async-signal-safe functions only (signal-safety(7)), so it also allocates nothing and
    /// takes no lock. Needed where the child is not started by fork(3): with namespaces at birth. Some
    /// functions of that list take locks in the C library all the same, and may hang in a child that was
    /// cloned from a parent with threads. Make the system call instead:
    ///  - setuid, setgid, seteuid, setegid, setreuid, setregid, setresuid, setresgid, setgroups: glibc
    ///    tells all threads, and waits for those that do not exist here.
    ///        if (syscall(SYS_setgroups, 0, nullptr) < 0) return side.fail("setgroups");
    ///        if (syscall(SYS_setresgid, gid, gid, gid) < 0) return side.fail("setresgid");
    ///        if (syscall(SYS_setresuid, uid, uid, uid) < 0) return side.fail("setresuid");
    ///    (On 32-bit x86 and ARM these are SYS_setgroups32 and so on.)
    ///  - sigaction, signal, abort, posix_spawn, fork: glibc 2.41 takes a lock for each.
    async_signal_safe,
    /// May do what is allowed in the child of a multi-threaded process after glibc's fork(3), which
    /// resets the locks of malloc and stdio but of nothing else: other libraries' locks may be held
    /// for ever by threads that do not exist here.
    after_fork,
};

namespace detail {
// What the program is executed with instead of what the options say; null: that.
struct Replacement {
    const char* const* arguments = nullptr;
    const char* const* environment = nullptr;
};
}  // namespace detail

class SYNCSPAWN_API ChildSide : public Side {
public:
    ChildSide(detail::FailureSlot& slot, pid_t parent_pid, int parent_pidfd,
              detail::Replacement& replacement) noexcept
        : Side(slot),
          parent_pid_(parent_pid),
          parent_pidfd_(parent_pidfd),
          replacement_(&replacement) {}
    ChildSide(const ChildSide&) = delete;
    ChildSide& operator=(const ChildSide&) = delete;
    ~ChildSide();
    /// A pidfd of the parent, also in a pid namespace at birth. Borrowed, for this part. -1 before
    /// Linux 5.3, if it has died, or where the caller itself has chosen its children's pid
    /// namespace (unshare(2)). Async-signal-safe.
    [[nodiscard]] int parent_pidfd() noexcept;
    /// With OtherDescriptors::leave: the program gets none but these, the streams included. Sets the
    /// close-on-exec flag of all others and leaves theirs as it is. Async-signal-safe.
    [[nodiscard]] std::error_code keep_only(std::span<const int> descriptors) noexcept;
    /// The program gets these arguments, the zeroth included, and not those of the options. Ends with a
    /// null pointer; must stay where it is. Async-signal-safe.
    void replace_arguments(const char* const* arguments) noexcept {
        replacement_->arguments = arguments;
    }
    /// The same for the environment. Where the barrier is handed over, which takes an environment that
    /// was known before, the launch then fails with EINVAL. Async-signal-safe.
    void replace_environment(const char* const* environment) noexcept {
        replacement_->environment = environment;
    }

private:
    pid_t parent_pid_;
    int parent_pidfd_;
    bool is_pidfd_ours_ = false;
    detail::Replacement* replacement_;
};

using ParentPart = Part<ParentSide>;

/// The child part of a step, with the rules it obeys.
struct ChildPart {
    ChildRules rules = ChildRules::after_fork;
    Part<ChildSide> run{};
};

/// Make the child part of a step, `.child = shared_memory([](ChildSide& side) { ... })`; the name says which
/// rules it promises to obey.
template <std::invocable<ChildSide&> Callable>
ChildPart after_fork(Callable run) {
    return {ChildRules::after_fork, std::move(run)};
}
template <std::invocable<ChildSide&> Callable>
ChildPart async_signal_safe(Callable run) {
    return {ChildRules::async_signal_safe, std::move(run)};
}
template <std::invocable<ChildSide&> Callable>
ChildPart shared_memory(Callable run) {
    return {ChildRules::shared_memory, std::move(run)};
}

/// A part for Step::last, which runs in the child behind everything else. It is the place for what
/// would forbid the library's own system calls, above all a seccomp filter:
///
///     spawner.step({.name = "filter",
///                   .last = {syncspawn::ChildRules::shared_memory,
///                            [&filter](syncspawn::ChildSide& side) {
///                                return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
///                                               prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0
///                                           ? side.fail("prctl")
///                                           : side.done();
///                            }}});
///
/// By then both sides have passed "ready to exec", the program's descriptors are in place, the barrier is
/// handed over, and signal mask and parent-death signal are as the program will have them. Last parts run
/// in the order of their steps. From the first of them to execve the library makes no system call, so a
/// filter need only allow execve(2), and what the program itself calls, its dynamic loader included. If
/// a last part fails, the program does not run, and the error is reported as usual.
///
/// Leave alone what is settled:
///  - Do not change credentials: that clears the parent-death signal of `die_with_parent`.
///  - Do not close descriptors or change their flags. Those of the step are open, unless the program's
///    have taken their numbers.
///  - Do not change the signal mask, or where a path leads (chroot, mounts, chdir): the program has
///    been looked up already.
///
/// A parent that gives up before the last of these parts has ended still wins: the program does not run.
/// If the parent dies meanwhile, the program runs all the same, unless `die_with_parent` is set.
using LastPart = ChildPart;

/// How the two parts of a step relate in time.
enum class StepOrder {
    together,      ///< neither waits for the other
    child_first,   ///< the parent's part begins after the child's has ended
    parent_first,  ///< the child's part begins after the parent's has ended
};

/// One named step with a part on either side, or on both. The parts of one side run in the order
/// in which the steps were added; the two sides run at the same time, except where the order of a
/// step or a rendezvous says otherwise.
struct Step {
    std::string name;  ///< what an error and the timeline call it
    ChildPart child{};
    ParentPart parent{};
    StepOrder order = StepOrder::together;
    /// Runs in the child behind everything else: see LastPart.
    LastPart last{};
    /// Runs in the child if execve has failed, after all parts; errno says why. Obeys the rules of
    /// `child`, or of `last` if there is no other part in the child. The program's signal mask is in
    /// force. What it returns is ignored.
    Part<ChildSide> exec_failed{};
    /// Takes back what the parent's part did. Runs in the parent, last step first, if the launch
    /// fails after that part succeeded, or began to wait (ParentSide::wait_for()), once the child is gone.
    /// It finds that part's ParentSide::state(). It cannot wait.
    ParentPart undo{};
    /// The parent's descriptors that the child part uses. Borrowed; the program does not get them.
    std::vector<int> descriptors{};
};

}  // namespace syncspawn
