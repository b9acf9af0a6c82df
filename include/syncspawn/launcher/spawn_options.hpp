#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/environment.hpp>

/// What to launch: one aggregate, every member with a default but the program.
///
///     syncspawn::SpawnOptions options{
///         .program = "server",
///         .arguments = {"--port", "8080"},
///         .streams = {.input = syncspawn::Stdio::null()},
///         .readiness = {.within = std::chrono::seconds(5)},
///     };
///
/// What belongs together is one group: streams, descriptors, birth, signals, setup, readiness, ending.

namespace syncspawn {

/// Where a standard stream of the program comes from or goes to.
class Stdio {
public:
    enum class Kind { inherit, null, descriptor, pipe };

    /// The parent's own stream, whatever its close-on-exec flag says. The default.
    static Stdio inherit() noexcept { return {Kind::inherit, -1}; }
    /// /dev/null.
    static Stdio null() noexcept { return {Kind::null, -1}; }
    /// A descriptor of the parent. Borrowed until spawn() returns.
    static Stdio descriptor(int fd) noexcept { return {Kind::descriptor, fd}; }
    /// A new pipe; the Process holds the parent's end.
    static Stdio pipe() noexcept { return {Kind::pipe, -1}; }

    Stdio() noexcept = default;
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    Stdio(Kind kind, int fd) noexcept : kind_(kind), fd_(fd) {}
    Kind kind_ = Kind::inherit;
    int fd_ = -1;
};

/// A descriptor that the program gets beside its standard streams.
struct PassedDescriptor {
    int from = -1;  ///< in the parent; borrowed until spawn() returns
    int to = -1;    ///< in the program, at least 3
};

/// Namespaces that the child is born into: the flags of clone(2).
enum class Namespaces : std::uint32_t {
    none = 0,
    mount = 0x00020000,
    cgroup = 0x02000000,
    uts = 0x04000000,
    ipc = 0x08000000,
    user = 0x10000000,
    pid = 0x20000000,
    network = 0x40000000,
};

constexpr Namespaces operator|(Namespaces left, Namespaces right) noexcept {
    return static_cast<Namespaces>(static_cast<std::uint32_t>(left) |
                                   static_cast<std::uint32_t>(right));
}
constexpr Namespaces operator&(Namespaces left, Namespaces right) noexcept {
    return static_cast<Namespaces>(static_cast<std::uint32_t>(left) &
                                   static_cast<std::uint32_t>(right));
}

/// What a program without a '/' means.
enum class ProgramSearch {
    path,  ///< a name that is looked up
    none,  ///< a path all the same, as with execve(2)
};

/// What the program gets of the barrier.
enum class HandOver {
    nothing,  ///< the barrier ends at execve
    barrier,  ///< the program may attach() to it; see Process::barrier()
};

/// How the child comes to be.
enum class StartMethod {
    /// shared_memory if every child part may and the system can, else copied_memory.
    automatic,
    /// By fork(3), or clone3(2) with namespaces at birth: the child has a copy of the parent's
    /// memory, which takes the longer the larger the parent is.
    copied_memory,
    /// The child shares the parent's memory until execve, while the parent goes on: the cost does
    /// not depend on the parent's size. Every child part must be ChildRules::shared_memory. Needs
    /// Linux 5.16 on x86-64 or aarch64, a process that is not traced or under the thread sanitizer, and
    /// no filter against clone3; else the launch fails with ENOSYS. A parked thread lends the child
    /// what is a thread's own; see SyncedSpawner::end_idle_threads(). Not so in a spawn() without steps,
    /// rendezvous, hand-over, `setup.within` and `setup.cancel_when_readable`: there the calling thread is
    /// suspended until execve, as by posix_spawn(3), and set*id in another thread waits as long. With
    /// `birth.cgroup` only that is possible.
    shared_memory,
};

/// What a kill reaches. With a pid namespace at birth each reaches everything in it.
enum class KillScope {
    process,  ///< the program; what it started in turn is out of reach
    /// The child leads a new process group, and all of that is killed. It can then not call setsid(2)
    /// (EPERM): ask for `session`.
    process_group,
    session,  ///< the child leads a new session (setsid(2)), and its process group is killed
};

/// What happens to the parent's descriptors that nothing here names.
enum class OtherDescriptors {
    close,  ///< they are closed before the first child part runs
    /// They stay as they are, as after fork(2): open to the child parts, and the program gets those
    /// without the close-on-exec flag, with what the parts have opened so. For parts that see to that
    /// themselves.
    leave,
};

/// What happens to signals that the parent ignores.
enum class IgnoredSignals {
    keep,   ///< they stay ignored, as after any execve
    reset,  ///< every signal is at its default
};

/// What the destructor of a Process does with one that still runs. Where the program may not be signalled
/// any more, because it has changed its user, `kill` and `terminate` leave it alone, as `release` does.
enum class OnDestruction {
    kill,       ///< SIGKILL to the kill scope, and reap
    terminate,  ///< SIGTERM, after `terminate_grace` SIGKILL, and reap
    wait,       ///< wait for its end, however long that takes
    release,    ///< let it run; it stays a child of this process
};

/// Where the standard streams come from and go to.
struct Streams {
    Stdio input{};
    Stdio output{};
    Stdio error{};
};

/// What the program gets beside its standard streams.
struct Descriptors {
    std::vector<PassedDescriptor> passed{};
    /// All that `passed` and the streams do not name.
    OtherDescriptors others = OtherDescriptors::close;
    /// Numbers that the child parts fill themselves (dup2(2)), not by what is above: the launch keeps
    /// its own descriptors in the child off them. What `passed` and the streams pass on must not
    /// have such a number in the parent.
    std::vector<int> filled_by_parts{};
};

/// How the child comes to be, and into what it is born.
struct Birth {
    StartMethod method = StartMethod::automatic;
    /// The child is born into them. Child parts must then be async_signal_safe or shared_memory.
    Namespaces namespaces = Namespaces::none;
    /// A directory of cgroup v2 (cgroups(7)), opened with O_PATH or O_RDONLY, that the child is born
    /// into (CLONE_INTO_CGROUP, Linux 5.7), or that it joins first of all where it is born by fork(3): if
    /// a child part is not `shared_memory`. No limit of the cgroup reaches the parent, so a launch with
    /// steps copies memory. A frozen cgroup is refused (EDEADLK); one that is frozen later, or by the
    /// freezer of v1, holds the launch up, in v1 beyond `setup.within`, since not even SIGKILL ends a
    /// process there. Borrowed until spawn() returns. -1: the parent's cgroup.
    int cgroup = -1;
};

/// The signals of the program.
struct Signals {
    IgnoredSignals ignored = IgnoredSignals::keep;
    /// Its signal mask; that of the thread which calls spawn() if not set.
    std::optional<sigset_t> mask{};
};

/// How long the launch may take until execve, and what ends it early.
struct Setup {
    /// From the start to execve; no limit if not set. Beyond it no part of the parent begins, no wait goes
    /// on, and the launch fails, unless the child is at its execve already. The end of a failed launch
    /// comes on top: abort_grace, and until the killed child has ended. Five seconds after that it is left
    /// behind (SpawnError::survivor()): the freezer of cgroup v1 or a call that nothing interrupts may hold it.
    std::optional<std::chrono::nanoseconds> within{};
    /// A descriptor that ends the launch as `cancelled` once it is readable (a signalfd, an eventfd);
    /// nothing is read from it. Looked at in every wait, also in that for readiness, not within a part.
    /// Borrowed. -1: none.
    int cancel_when_readable = -1;
    /// How long the other side of a failed launch may take to end by itself before SIGKILL.
    std::chrono::nanoseconds abort_grace = std::chrono::milliseconds(100);
};

/// What the program gets of the barrier, and whether spawn() waits until it is ready.
struct Readiness {
    HandOver hand_over = HandOver::nothing;
    /// If set, the barrier is handed over and spawn() returns only when the program has placed on
    /// it; if that takes longer (from execve on), the program is ended and the launch fails.
    std::optional<std::chrono::nanoseconds> within{};
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
    OnDestruction on_destruction = OnDestruction::kill;
    std::chrono::nanoseconds terminate_grace = std::chrono::seconds(5);
};

struct SpawnOptions {
    /// With a '/': a path, relative to the child's final root and directory. Without: looked up in
    /// the PATH of `environment` (the C library's default path if that has none), as execvp(3) does,
    /// but a file without a known format is an error, not a shell script, and so is one whose
    /// interpreter is missing: the search ends there. An entry of PATH that cannot be followed
    /// (ENAMETOOLONG, ELOOP, ESTALE ...) is passed over.
    std::string program;
    ProgramSearch program_search = ProgramSearch::path;
    /// Without the zeroth.
    std::vector<std::string> arguments{};
    /// The zeroth argument; `program` if not set.
    std::optional<std::string> argument_zero{};
    Environment environment = Environment::current();
    /// Entered after all steps; empty: the parent's.
    std::string working_directory{};

    Streams streams{};
    Descriptors descriptors{};
    Birth birth{};
    Signals signals{};
    Setup setup{};
    Readiness readiness{};
    Ending ending{};
};

}  // namespace syncspawn
