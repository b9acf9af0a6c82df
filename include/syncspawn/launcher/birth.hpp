#pragma once

#include <cstdint>

/// How the child comes to be, and where it is born: SpawnOptions::birth.
///
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     using syncspawn::Namespaces;
///
///     int main() {
///         syncspawn::SyncedSpawner spawner(
///             {.program = "sh",
///              .arguments = {"-c", "test $(uname -n) = box"},
///              .birth = {.namespaces = Namespaces::user | Namespaces::uts}});
///         spawner.step(
///             {.name = "host name", .child = syncspawn::shared_memory([](syncspawn::ChildSide& side) {
///                  return sethostname("box", 3) < 0 ? side.fail("sethostname") : side.done();
///              })});
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The new name is the child's alone, and setting it takes no privilege: the child is born into a user
/// namespace, where it may do that.

namespace syncspawn {

/// Namespaces that the child is born into (namespaces(7)). Join them by `|`; the values are the flags of
/// clone(2).
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

/// Whether the child starts in a copy of the parent's memory, or in that memory itself.
enum class StartMethod {
    /// shared_memory if every child part may (ChildRules) and the system can, else copied_memory. A launch
    /// without child parts shares memory, too.
    automatic,
    /// The child has a copy, as after fork(2). The larger the parent, the longer that takes. It is fork(3)
    /// or, with namespaces at birth, clone3(2).
    copied_memory,
    /// The child uses the parent's memory until execve, so the start takes no longer for a large parent. The
    /// parent goes on meanwhile.
    ///
    /// Every child part must be ChildRules::shared_memory. It takes Linux 5.16 on x86-64 or aarch64, a
    /// process that is neither traced nor under the thread sanitizer, and no filter that refuses clone3;
    /// else the launch fails with ENOSYS.
    ///
    /// The child borrows what belongs to a thread (its stack, its thread-local variables) from a parked
    /// thread of the library: see SyncedSpawner::end_idle_threads().
    ///
    /// A bare spawn() needs no such thread: one without steps, rendezvous, hand-over, `setup.within` and
    /// `setup.cancel_when_readable`. It suspends the calling thread until execve, as posix_spawn(3) does, and
    /// set*id(2) in another thread waits as long. With `birth.cgroup` only a bare spawn() can share memory.
    shared_memory,
};

/// Who is the first process of a pid namespace of the launch's own (Namespaces::pid).
enum class FirstProcess {
    /// The program. Unless it handles them, it ignores SIGTERM, SIGINT and all the rest but SIGKILL, as the
    /// first process does (pid_namespaces(7)), and what it does not wait for stays there as a zombie.
    program,
    /// A tiny init of the library's, with the program as its child. It passes signals on, reaps what is
    /// orphaned, and ends with the program. All other processes of the namespace are killed then.
    ///
    ///  - Process::pid() is the reaper's. Status and usage are the program's: see Process.
    ///  - Of your descriptors, your memory and your streams nothing stays in the reaper.
    ///  - Child parts (Step::child) run in the process that becomes the reaper. What they set up holds for
    ///    both, as fork(2) hands it on; timers (alarm(2)) do not reach the program.
    ///  - Last parts (Step::last) run in the program's own process: their filters do not bind the reaper.
    ///
    /// Neither the program nor what it starts can trace the reaper. For that the launcher's memory is not
    /// dumpable for a moment, if it is shared: like a change of credentials, it makes `automatic` copy the
    /// memory of a launcher that is not root.
    ///
    /// It is executed from memory (memfd_create(2)), on x86-64 and aarch64. With the sysctl vm.memfd_noexec
    /// at 2 the launch fails, and says why.
    reaper,
    /// The same, but what the program has started may outlive it. The reaper ends, and wait() returns, when
    /// the last process of the namespace has gone. Once the program has ended, signals go to all of them.
    lasting_reaper,
};

/// How the child comes to be, and into what it is born.
struct Birth {
    StartMethod method = StartMethod::automatic;
    /// The child is born into these. Its parts must then be async_signal_safe or shared_memory.
    Namespaces namespaces = Namespaces::none;
    /// A reaper takes Namespaces::pid.
    FirstProcess first_process = FirstProcess::program;
    /// The cgroup that the child is born into: a descriptor of its directory in cgroup v2 (cgroups(7)),
    /// opened with O_PATH or O_RDONLY. Borrowed until spawn() returns; -1: the parent's cgroup, or what a step
    /// makes for each launch (ParentSide::set_cgroup()).
    ///
    /// Being born there takes Linux 5.7 (CLONE_INTO_CGROUP). On an older kernel, or when a part needs
    /// fork(3) (ChildRules::after_fork), the child joins the cgroup before it does anything else. A launch
    /// with steps copies memory, so that no limit of the cgroup reaches the parent.
    ///
    /// A frozen cgroup is refused (EDEADLK). One that is frozen later, or by the freezer of cgroup v1,
    /// holds the launch up. In v1 that can last beyond `setup.within`, since not even SIGKILL ends a
    /// process there.
    int cgroup = -1;
    /// A pid namespace that is there already, and that the child is born into: a descriptor of its file
    /// (/proc/PID/ns/pid, opened with O_RDONLY), or from Linux 5.8 on a pidfd of a process in it. Borrowed
    /// until spawn() returns; -1: the pid namespace of the parent.
    ///
    ///     const syncspawn::UniqueFd box(open("/proc/4711/ns/pid", O_RDONLY | O_CLOEXEC));
    ///     syncspawn::SyncedSpawner inside({.program = "sh", .birth = {.pid_namespace = box.get()}});
    ///
    /// It must be the parent's own pid namespace or one below, and takes CAP_SYS_ADMIN in two user namespaces:
    /// the parent's, and the one that the pid namespace belongs to (setns(2)). Who has it only in the latter
    /// lets a process in there launch the program.
    ///
    ///  - getpid(2) in the child is its number in there, getppid(2) is 0. Process::pid() is the parent's number.
    ///  - When the first process of the namespace ends, the kernel kills the child, too. That process is not
    ///    gone before you have waited for the child: wait for the child first.
    ///  - If the first process has ended before, the launch fails (ENOMEM).
    ///  - Of the other namespaces it joins none. Its /proc is the parent's, unless it joins the mount
    ///    namespace, too: steps::join_namespaces().
    ///  - It is started by a thread of the library's, and memory is copied: who owns the namespace may trace
    ///    the child. So StartMethod::shared_memory is refused.
    ///  - The kernel makes no new pid namespace for such a child, so Namespaces::pid is refused, and with it a
    ///    reaper.
    ///  - Your own later children are born where they always were.
    int pid_namespace = -1;
};

}  // namespace syncspawn
