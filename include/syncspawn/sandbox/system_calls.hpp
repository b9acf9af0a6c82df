#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/step.hpp>

/// System calls that the program may make, and what happens at the others: seccomp(2).
///
///     #include <cerrno>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/system_calls.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         namespace sandbox = syncspawn::sandbox;
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "! cd / 2>/dev/null"}});
///         spawner.step(syncspawn::steps::no_new_privileges());
///         spawner.step(sandbox::system_calls(sandbox::default_deny_set()));
///         spawner.step(sandbox::system_calls({
///             .rules = {{.calls = {"chdir", "fchdir"}, .action = sandbox::CallAction::error(EPERM)}},
///         }));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// A filter is a list of rules, and an action for all that no rule decides. The first rule that matches
/// decides. So an exception stands before what it is an exception from:
///
///     {.rules = {{.calls = {"socket"}, .action = CallAction::allow(), .when = {int_argument(0) == AF_UNIX}},
///                {.calls = {"socket"}, .action = CallAction::error(EAFNOSUPPORT)}}}
///
/// A program may have several filters. Each is asked at every call, and the strictest answer holds: kill,
/// trap, error, notify, log, allow. A filter cannot be taken off again, and everything that the program
/// starts has it, too.
///
/// It looks at numbers alone, not at what a pointer leads to: a path cannot be filtered, nor the flags of
/// clone3(2), which are in memory. Where you filter clone(2), answer clone3 with ENOSYS: then programs use
/// the older one.

namespace syncspawn::sandbox {

/// What happens at a call.
struct CallAction {
    std::uint32_t value = 0x7fff0000;  ///< as a filter returns it: seccomp(2); allow

    [[nodiscard]] static constexpr CallAction allow() noexcept { return {0x7fff0000}; }
    /// It does nothing, and fails with this errno, from 1 to 4095.
    [[nodiscard]] static constexpr CallAction error(int number) noexcept {
        return {0x00050000U | (static_cast<std::uint32_t>(number) & 0xffffU)};
    }
    /// The process is killed by SIGSYS, which it cannot handle.
    [[nodiscard]] static constexpr CallAction kill_process() noexcept { return {0x80000000}; }
    /// The call does nothing, and the process gets SIGSYS, which it may handle: sigaction(2), SYS_SECCOMP.
    [[nodiscard]] static constexpr CallAction trap() noexcept { return {0x00030000}; }
    /// It is allowed, and the kernel's audit log has a line of it.
    [[nodiscard]] static constexpr CallAction log() noexcept { return {0x7ffc0000}; }

    /// It waits until you have answered, by the listener (see SystemCallListener): with a result, an errno,
    /// or by letting it go on.
    [[nodiscard]] static constexpr CallAction notify() noexcept { return {0x7fc00000}; }

    friend bool operator==(const CallAction&, const CallAction&) = default;
};

/// A condition on one argument. You write it as below: `int_argument(1) == TIOCSTI`.
struct ArgumentTest {
    enum class Comparison { equal, not_equal, less, less_or_equal, greater, greater_or_equal };
    unsigned argument = 0;  ///< 0 to 5
    Comparison comparison = Comparison::equal;
    std::uint64_t value = 0;
    std::uint64_t mask = UINT64_MAX;  ///< the bits of the argument that are looked at

    friend bool operator==(const ArgumentTest&, const ArgumentTest&) = default;
};

/// An argument, or some of its bits: `(int_argument(0) & CLONE_NEWUSER) != 0`. Comparisons are of unsigned
/// numbers.
class Argument {
public:
    constexpr Argument(unsigned number, std::uint64_t mask) noexcept
        : number_(number), mask_(mask) {}
    [[nodiscard]] constexpr Argument operator&(std::integral auto bits) const noexcept {
        return {number_, mask_ & static_cast<std::uint64_t>(bits)};
    }
    [[nodiscard]] constexpr ArgumentTest operator==(std::integral auto value) const noexcept {
        return test(Comparison::equal, static_cast<std::uint64_t>(value));
    }
    [[nodiscard]] constexpr ArgumentTest operator!=(std::integral auto value) const noexcept {
        return test(Comparison::not_equal, static_cast<std::uint64_t>(value));
    }
    [[nodiscard]] constexpr ArgumentTest operator<(std::integral auto value) const noexcept {
        return test(Comparison::less, static_cast<std::uint64_t>(value));
    }
    [[nodiscard]] constexpr ArgumentTest operator<=(std::integral auto value) const noexcept {
        return test(Comparison::less_or_equal, static_cast<std::uint64_t>(value));
    }
    [[nodiscard]] constexpr ArgumentTest operator>(std::integral auto value) const noexcept {
        return test(Comparison::greater, static_cast<std::uint64_t>(value));
    }
    [[nodiscard]] constexpr ArgumentTest operator>=(std::integral auto value) const noexcept {
        return test(Comparison::greater_or_equal, static_cast<std::uint64_t>(value));
    }

private:
    using Comparison = ArgumentTest::Comparison;
    // A negative int is a number of 32 bits where only these are looked at.
    [[nodiscard]] constexpr ArgumentTest test(Comparison comparison,
                                              std::uint64_t value) const noexcept {
        return {number_, comparison, mask_ <= UINT32_MAX ? value & UINT32_MAX : value, mask_};
    }
    unsigned number_;
    std::uint64_t mask_;
};

/// Of an argument of 32 bits, as int and unsigned are: the kernel ignores the others, and so must the
/// filter, or a program sets one of them and is through.
[[nodiscard]] constexpr Argument int_argument(unsigned number) noexcept {
    return {number, UINT32_MAX};
}
/// Of one that is as wide as a register: a size, a pointer, a long.
[[nodiscard]] constexpr Argument long_argument(unsigned number) noexcept {
    return {number, UINT64_MAX};
}

/// What to do about the name of a call that nobody knows.
enum class UnknownCall { refuse, skip };

/// What happens at these calls, if all of the conditions hold.
struct CallRule {
    /// Names, as in syscalls(2). One that this processor does not have is passed over: its program cannot
    /// make it.
    std::vector<std::string> calls{};
    /// The same by number, for what is newer than this library.
    std::vector<unsigned> numbers{};
    CallAction action = CallAction::error(1);  ///< EPERM
    std::vector<ArgumentTest> when{};          ///< 16 at most
    UnknownCall unknown = UnknownCall::refuse;
};

/// A filter, as data.
struct SystemCallFilter {
    CallAction otherwise = CallAction::allow();  ///< where no rule matches
    std::vector<CallRule> rules{};
    /// What happens at a call of another kind: by `int 0x80` and of x32 on x86-64, of 32-bit ARM on
    /// aarch64. Such calls have other numbers, so no rule can be asked, and to allow them opens a way
    /// around the filter.
    CallAction foreign = CallAction::kill_process();
};

/// A filter in the machine language of classic BPF, as libseccomp exports it and `bwrap --seccomp` reads
/// it. The kernel checks it when it is installed. It must look at seccomp_data::arch itself.
struct RawSystemCallFilter {
    std::vector<sock_filter> code{};
};

/// Whether the program may look into other processes (ptrace(2)), as debuggers do.
enum class Tracing {
    refused,
    allowed,  ///< safe where the program sees only its own processes: in a pid namespace
};

/// Refuses what no ordinary program needs and what exploits of the kernel begin with. Everything else is
/// allowed. With EPERM, unless it says something else:
///
///   - kernel modules, kexec, reboot: they replace the kernel that runs
///   - swap, process accounting, quotas, the kernel's log, setting the clock: they are the machine's, not
///     the program's
///   - mounts, by the old calls and the new ones, chroot, pivot_root: they change where a path leads
///   - new namespaces, and setns: they give capabilities over code of the kernel that few others reach. By
///     clone3: ENOSYS
///   - bpf, perf_event_open, userfaultfd, lookup_dcookie: often the second half of an exploit
///   - io_uring: does what other calls do, unseen by a filter. ENOSYS: programs do without
///   - keys (add_key, keyctl, request_key): keyrings know no namespace
///   - open_by_handle_at: opens files past every mount and directory
///   - ioctl with TIOCSTI or TIOCLINUX: types into the terminal, where a shell outside may read it. vhangup
///   - clone with CLONE_PARENT: the launcher would get a child that it does not know
///   - setpriority and ioprio_set for process groups: the launcher may be in one
///   - personality, unless for no more than PER_LINUX32, UNAME26 and ADDR_NO_RANDOMIZE: memory that is
///     executable unasked
///   - ports and segments of the processor (iopl, ioperm, vm86, modify_ldt), and PCI by pciconfig
///   - ptrace, process_vm_readv and its like, pidfd_getfd, kcmp: other processes of the user; see Tracing
///   - what is obsolete (uselib, ustat, sysfs, _sysctl, nfsservctl): ENOSYS
///
/// It does not look at sockets: socket_families() does.
[[nodiscard]] SYNCSPAWN_API SystemCallFilter default_deny_set(Tracing tracing = Tracing::refused);

/// Only sockets of these families can be made: `socket_families({AF_UNIX, AF_INET, AF_INET6})`; an empty
/// list means none at all. Others fail with EAFNOSUPPORT, as in a kernel that does not have them. io_uring,
/// which makes sockets, too, fails with ENOSYS. Sockets that the program inherits, or is sent, can be used.
[[nodiscard]] SYNCSPAWN_API SystemCallFilter socket_families(const std::vector<int>& families);

/// Installs the filter right before execve (Step::last). It must allow execve(2), and what the program and
/// its dynamic loader call; of the launch itself nothing is left to do by then. If there are more such
/// steps, it must allow seccomp(2), too: put the strictest last.
///
/// It takes no_new_privs (steps::no_new_privileges()), or CAP_SYS_ADMIN in the user namespace; else the
/// step fails with EACCES. The filter is compiled by this call, and shared by all launches.
///
/// Throws std::invalid_argument for CallAction::notify(), a name that nobody knows (it says which one is
/// like it), a condition that never holds, a filter that refuses execve, or one of more than 4096
/// instructions; std::system_error where the kernel has no seccomp (CONFIG_SECCOMP_FILTER) or not this
/// action.
[[nodiscard]] SYNCSPAWN_API Step system_calls(const SystemCallFilter& filter);

/// Where you answer the calls of CallAction::notify(): seccomp_unotify(2) has the two calls of ioctl(2) for
/// it. Readable (poll(2)) when a call waits. If you close it, calls that wait, and later ones, fail with
/// ENOSYS.
struct SystemCallListener {
    pid_t process = -1;  ///< whose calls they are first: Process::pid()
    UniqueFd descriptor{};
};

/// The same for a filter that has CallAction::notify(), which takes Linux 5.0. `opened` is called once in
/// each launch, by the thread that launches, when the program runs, and maybe waits already: so have
/// another thread answer, or an event loop. A program has one such filter at most (EBUSY).
///
/// Throws std::invalid_argument, too, if the filter asks about execve, which nobody could answer yet, or
/// does not allow sendmsg(2), which brings the listener to you.
[[nodiscard]] SYNCSPAWN_API Step system_calls(const SystemCallFilter& filter,
                                              std::function<void(SystemCallListener)> opened);

/// The first one for a filter that is compiled already. Throws std::invalid_argument if it has no
/// instruction, or more than 4096.
[[nodiscard]] SYNCSPAWN_API Step system_calls(RawSystemCallFilter filter);

/// What the other one installs.
[[nodiscard]] SYNCSPAWN_API RawSystemCallFilter compile(const SystemCallFilter& filter);

}  // namespace syncspawn::sandbox
