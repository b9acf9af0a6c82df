#pragma once

#include <cstdint>

/// How the child of a launch comes to be: SpawnOptions::birth.

namespace syncspawn {

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

}  // namespace syncspawn
