#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Landlock: the program opens no file, and reaches no TCP port, that these rules do not name.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/landlock.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         namespace sandbox = syncspawn::sandbox;
///         if (sandbox::landlock_version() == 0) {
///             return 0;  // this kernel has none
///         }
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "! (echo >/tmp/new) 2>&-"}});
///         spawner.step(syncspawn::steps::no_new_privileges());
///         spawner.step(sandbox::landlock(
///             {.paths = sandbox::LandlockPaths{{"/", sandbox::LandlockAccess::read_only}}}));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// It takes no privileges and no namespace, and neither the program nor what it starts can shake it off. It is
/// about what is opened or done from now on: a descriptor that is open already does what it did before.
///
/// Put the step behind all others that touch files: with rules for files, the child can neither mount(2) nor
/// pivot_root(2) any more, whatever its capabilities. It needs steps::no_new_privileges() before it, or
/// CAP_SYS_ADMIN in the child's user namespace.
///
/// What it never covers: stat(2), chdir(2), chmod(2), chown(2), setxattr(2), utime(2), flock(2) and access(2)
/// work on any path, so that a name can be found out; connecting to a unix socket that has a path; UDP;
/// Multipath TCP; listen(2) on a socket that was not bound, which the kernel gives a port of its own choice.
/// See landlock(7).
///
/// Rules are about the files themselves. They hold wherever those files are mounted, in the child's mount
/// namespace, too. A rule for a directory that a mount covers does not reach what is mounted there; one for a
/// directory above does.

namespace syncspawn::sandbox {

/// The version of Landlock's interface that this kernel has (7 in Linux 6.15), as landlock(7) counts them. 0: none,
/// since it is not built in, switched off at boot, or refused by a filter.
[[nodiscard]] SYNCSPAWN_API int landlock_version() noexcept;

/// What the program may do with a path, and with all that is below it. They are combined by `|`.
enum class LandlockAccess : std::uint32_t {
    none = 0,
    read = 0x1,      ///< open files for reading
    list = 0x2,      ///< read directories
    execute = 0x4,   ///< execute files. Libraries are read, not executed
    write = 0x8,     ///< open files for writing, and truncate them
    make = 0x10,     ///< make files, directories, symbolic links, FIFOs and sockets
    remove = 0x20,   ///< remove or rename files and directories
    move = 0x40,     ///< rename or link to or from another directory, if both may
    devices = 0x80,  ///< make device nodes, as root
    control =
        0x100,  ///< ioctl(2) on devices that the program opens. (FIONREAD and a few more work anyway)
    read_only = read | list | execute,
    read_write = read_only | write | make | remove | move,
};
constexpr LandlockAccess operator|(LandlockAccess left, LandlockAccess right) noexcept {
    return static_cast<LandlockAccess>(static_cast<std::uint32_t>(left) |
                                       static_cast<std::uint32_t>(right));
}
constexpr LandlockAccess operator&(LandlockAccess left, LandlockAccess right) noexcept {
    return static_cast<LandlockAccess>(static_cast<std::uint32_t>(left) &
                                       static_cast<std::uint32_t>(right));
}

/// How the path of a rule is looked up.
enum class LandlockLookup {
    must_exist,  ///< symbolic links are followed; if nothing is there, landlock() throws
    if_present,  ///< no symbolic link is followed; if nothing or only a link is there, the rule is left out
};

/// A rule for one path. It only ever allows: the program has what all rules for the path and for the
/// directories above it allow together.
struct LandlockPath {
    std::string path{};
    LandlockAccess access =
        LandlockAccess::read_only;  ///< what makes no sense for a file counts for nothing
    LandlockLookup lookup = LandlockLookup::must_exist;
};
using LandlockPaths = std::vector<LandlockPath>;
using TcpPorts = std::vector<std::uint16_t>;

/// What the program cannot reach outside of its sandbox: itself, and what it starts.
enum class LandlockScopes : std::uint32_t {
    none = 0,
    abstract_sockets = 0x1,  ///< connecting or sending to abstract unix sockets; Linux 6.12
    signals = 0x2,           ///< sending signals; Linux 6.12
};
constexpr LandlockScopes operator|(LandlockScopes left, LandlockScopes right) noexcept {
    return static_cast<LandlockScopes>(static_cast<std::uint32_t>(left) |
                                       static_cast<std::uint32_t>(right));
}
constexpr LandlockScopes operator&(LandlockScopes left, LandlockScopes right) noexcept {
    return static_cast<LandlockScopes>(static_cast<std::uint32_t>(left) &
                                       static_cast<std::uint32_t>(right));
}

/// What is not set is not restricted. What is set, and empty, is forbidden altogether.
struct LandlockRules {
    /// The program itself, its interpreter and its libraries must be among them, too.
    std::optional<LandlockPaths> paths{};
    std::optional<TcpPorts> bind_ports{};     ///< Linux 6.7. 0 is the port that the kernel chooses
    std::optional<TcpPorts> connect_ports{};  ///< Linux 6.7
    LandlockScopes scopes = LandlockScopes::none;
};

/// What some kernels with Landlock lack. They are combined by `|`.
enum class LandlockParts : std::uint32_t {
    none = 0,
    move = 0x1,       ///< Linux 5.19. Without it nobody can rename to another directory
    truncate = 0x2,   ///< Linux 6.2. Without it whatever the caller owns can be truncated
    tcp_ports = 0x4,  ///< Linux 6.7. Without it all ports are open
    control = 0x8,    ///< Linux 6.10. Without it any device that can be opened can be controlled
    abstract_sockets = 0x10,  ///< Linux 6.12. Without it they are all in reach
    signals = 0x20,           ///< Linux 6.12. Without it the caller's other processes are in reach
    log = 0x40,               ///< Linux 6.15. Without it nothing is logged
};
constexpr LandlockParts operator|(LandlockParts left, LandlockParts right) noexcept {
    return static_cast<LandlockParts>(static_cast<std::uint32_t>(left) |
                                      static_cast<std::uint32_t>(right));
}
constexpr LandlockParts operator&(LandlockParts left, LandlockParts right) noexcept {
    return static_cast<LandlockParts>(static_cast<std::uint32_t>(left) &
                                      static_cast<std::uint32_t>(right));
}

/// Whether the audit log tells what the program was refused.
enum class LandlockLog { off, refusals };

struct LandlockOptions {
    /// The launch is to go on where the kernel lacks these. By default none: then landlock() throws.
    LandlockParts may_be_missing = LandlockParts::none;
    LandlockLog log = LandlockLog::off;
};

/// What this kernel makes of the rules.
struct LandlockPlan {
    int version = 0;  ///< landlock_version()
    LandlockParts wanted =
        LandlockParts::none;  ///< what the rules and options take beyond version 1
    LandlockParts missing = LandlockParts::none;  ///< what of that this kernel lacks
};
/// The same that landlock() finds, to be asked before or told afterwards. Opens nothing, refuses nothing.
[[nodiscard]] SYNCSPAWN_API LandlockPlan
plan_landlock(const LandlockRules& rules, const LandlockOptions& options = {}) noexcept;

/// "truncating (Linux 6.2), TCP ports (Linux 6.7)"; empty for none.
[[nodiscard]] SYNCSPAWN_API std::string to_string(LandlockParts parts);

/// The program, and all that it starts, is held to the rules from this step on. Each such step adds another layer
/// that only takes away; the kernel allows 16.
///
/// This call opens the paths and makes the ruleset, once for all launches of the step. The child makes a single
/// system call, and may share memory. Throws
///  - std::invalid_argument if the rules restrict nothing, a path is empty, or a rule allows nothing,
///  - std::system_error if a path cannot be opened; if the kernel has no Landlock; with EOPNOTSUPP if it lacks a part that
///    `may_be_missing` does not name. The text says which Linux brings it.
[[nodiscard]] SYNCSPAWN_API Step landlock(const LandlockRules& rules,
                                          const LandlockOptions& options = {});

}  // namespace syncspawn::sandbox
