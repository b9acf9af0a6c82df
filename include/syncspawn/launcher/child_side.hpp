#pragma once

#include <sys/types.h>

#include <concepts>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include <syncspawn/launcher/part.hpp>
#include <syncspawn/launcher/side.hpp>

/// syncspawn::ChildSide and ChildRules: your code in the child, and what it may do there.
///
///     #include <sys/resource.h>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "test $(nice) = 19"}});
///         spawner.step({.name = "priority",
///                       .child = syncspawn::shared_memory([](syncspawn::ChildSide& side) {
///                           return setpriority(PRIO_PROCESS, 0, 19) < 0 ? side.fail("setpriority")
///                                                                       : side.done();
///                       })});
///         return spawner.spawn().wait().shell_code();
///     }
///
/// Between its start and execve a child cannot do all that a program can: other threads of the parent may
/// have held locks at the start, and do not exist here to let them go. So every child part says which rules
/// it obeys, by the function that makes it: after_fork(), async_signal_safe(), shared_memory() or
/// changing_credentials().

namespace syncspawn {

/// What a child part promises. If all of them promise the strictest, `shared_memory`, a launch costs the same
/// however large the parent is.
///
/// In every case, the part runs in the child before execve, with all signals blocked. Only the descriptors
/// 0 to 2, those that the options pass and those that its step declares are open. It leaves no process
/// behind that holds its descriptors. It reports failure by its result; an exception is caught, and
/// reported by its what(). Unless the memory is shared, it sees the parent's as it was at the start, and
/// what it writes there is lost.
///
/// Not sure? Take `async_signal_safe` for a few system calls, and `after_fork` for code that allocates.
enum class ChildRules {
    /// It makes system calls and writes to local variables alone: then the child may share the parent's
    /// memory until execve.
    ///
    /// The parent and other launches of the same spawner run at the same time, in the same memory. So in
    /// addition to the rules of async_signal_safe:
    ///  - Write to your own local variables and to atomics, nothing else: it would be the parent's.
    ///    Thread-local variables are nobody else's, but an earlier launch has used them, and their
    ///    destructors run later, in the parent. Use none. (errno is one of them: it works, but does not
    ///    begin at 0.)
    ///  - Throw nothing: a kill in the midst of that would leave malloc's lock held.
    ///  - Call no set*id of the C library, which takes a lock and signals threads that are not the child's. Call
    ///    nothing that concerns threads, keeps a lock, or ends the process by exit(3).
    ///  - Make no other change of credentials either (the raw system calls change the child alone, but clear
    ///    the parent's dumpable flag, too), unless you say so: changing_credentials().
    ///  - Change nothing that belongs to the memory as a whole: PR_SET_DUMPABLE, PR_SET_THP_DISABLE,
    ///    mlockall(2), mprotect(2), /proc/self/oom_score_adj. It would be the parent's.
    ///  - No setns(2) into a time namespace (EUSERS).
    ///  - Neither side moves the child into another cgroup: see ParentSide::child_pid().
    ///  - At most 128 KiB of stack.
    /// If it crashes or is killed, that ends the child alone and is reported as such (Linux 5.16).
    shared_memory,
    /// It calls async-signal-safe functions only (signal-safety(7)): it allocates nothing and takes no lock.
    /// Needed with namespaces at birth, where the child is not started by fork(3).
    ///
    /// Some functions of that list do take locks in the C library, and may hang in a child that was cloned
    /// from a parent with threads. Make the system call instead:
    ///  - setuid, setgid, seteuid, setegid, setreuid, setregid, setresuid, setresgid, setgroups. (glibc tells
    ///    all threads, and waits for those that do not exist here.)
    ///        if (syscall(SYS_setgroups, 0, nullptr) < 0) return side.fail("setgroups");
    ///        if (syscall(SYS_setresgid, gid, gid, gid) < 0) return side.fail("setresgid");
    ///        if (syscall(SYS_setresuid, uid, uid, uid) < 0) return side.fail("setresuid");
    ///    (On 32-bit x86 and ARM these are SYS_setgroups32 and so on.)
    ///  - sigaction, signal, abort, posix_spawn, fork. (glibc 2.41 takes a lock for each.)
    async_signal_safe,
    /// It may do what is allowed after fork(3) in a process with threads. With glibc that includes malloc
    /// and stdio, whose locks fork(3) resets. It resets no others: a lock of another library may be held
    /// for ever, by a thread that does not exist here.
    after_fork,
};

namespace detail {
// What the program is executed with instead of what the options say; null: that.
struct Replacement {
    const char* const* arguments = nullptr;
    const char* const* environment = nullptr;
};

// Where a part's descriptors go, and as whose.
struct Outbox {
    int socket = -1;  // the step does not say that it sends
    std::uint32_t item = 0;
};
}  // namespace detail

/// What a child part is called with. Valid during that call. Everything here is async-signal-safe.
class SYNCSPAWN_API ChildSide : public Side {
public:
    ChildSide(detail::FailureSlot& slot, pid_t parent_pid, int parent_pidfd,
              detail::Replacement& replacement, detail::Outbox outbox = {}) noexcept
        : Side(slot),
          parent_pid_(parent_pid),
          parent_pidfd_(parent_pidfd),
          replacement_(&replacement),
          outbox_(outbox) {}
    ChildSide(const ChildSide&) = delete;
    ChildSide& operator=(const ChildSide&) = delete;
    ~ChildSide();
    /// A pidfd of the parent, even in a pid namespace at birth. Borrowed; valid during this part. -1 if the
    /// parent is dead, before Linux 5.3, or where the parent itself has chosen a pid namespace for its
    /// children (unshare(2)).
    [[nodiscard]] int parent_pidfd() noexcept;
    /// With OtherDescriptors::leave: the program gets these and no others, so name 0 to 2 as well. Makes
    /// all others close-on-exec, and leaves the flags of these as they are.
    [[nodiscard]] std::error_code keep_only(std::span<const int> descriptors) noexcept;
    /// Sends the parent a copy of a descriptor, whose parts of the same step then take it
    /// (ParentSide::take_descriptor()): a socket that listens in the child's network namespace, a mount, the
    /// listener of a seccomp filter. `fd` stays open here. `return side.send_descriptor(fd);`
    ///
    /// The step must say how many it sends (Step::sends_descriptors), else this fails with EBADF. It never
    /// waits: ETOOMANYREFS or EAGAIN if too many are under way. In a `last` part, the filter must allow
    /// sendmsg(2).
    [[nodiscard]] std::error_code send_descriptor(int fd) noexcept;
    /// Replaces the arguments of the options, the zeroth included. The array ends with a null pointer. It
    /// must exist until execve, so no local variable of the part.
    void replace_arguments(const char* const* arguments) noexcept {
        replacement_->arguments = arguments;
    }
    /// The same for the environment. With a hand-over the launch then fails with EINVAL, since the
    /// variables of the barrier are in the environment of the options.
    void replace_environment(const char* const* environment) noexcept {
        replacement_->environment = environment;
    }

private:
    pid_t parent_pid_;
    int parent_pidfd_;
    bool is_pidfd_ours_ = false;
    detail::Replacement* replacement_;
    detail::Outbox outbox_;
};

/// What a child part does with the user, the groups and the capabilities of the child.
enum class Credentials {
    stay,
    /// It changes them: setresuid(2) and its kin, setns(2) into a user namespace.
    ///
    /// In shared memory that has an effect on this process, too: the kernel clears the "dumpable" flag of the
    /// memory (PR_SET_DUMPABLE), lest anybody who may now trace the child reads it. Until the flag is back,
    /// this process writes no core dump, and its files in /proc, and those of all children that share its
    /// memory, are root's. The library puts the flag back when the last child that shares the memory has left
    /// it, of whatever launch, however that ends; at the latest, spawn() does so before it returns, or
    /// Launch::advance() once the launch is over. With other launches under way it takes until they are
    /// through, too.
    ///  - Set the flag to 0 yourself only while no such launch is under way: the library cannot tell that from
    ///    what the kernel did. If you raise it to 1 meanwhile, it stays so.
    ///  - An ordinary user could not write an id map meanwhile. So for a process whose effective user is not 0,
    ///    StartMethod::automatic copies memory if there is such a part.
    change,
};

/// The child part of a step, and the rules that it obeys.
struct ChildPart {
    ChildRules rules = ChildRules::after_fork;
    Part<ChildSide> run{};
    Credentials credentials = Credentials::stay;
};

/// These make the child part of a step: `.child = shared_memory([](ChildSide& side) { ... })`. The name
/// says which rules you promise to obey. Nothing can check that, but it is easy to search for.
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
/// Like shared_memory(), for a part that also changes the credentials of the child, by raw system calls. Not for
/// Step::last.
template <std::invocable<ChildSide&> Callable>
ChildPart changing_credentials(Callable run) {
    return {ChildRules::shared_memory, std::move(run), Credentials::change};
}

}  // namespace syncspawn
