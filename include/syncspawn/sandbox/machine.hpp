#pragma once

#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::sandbox::Machine: what this kernel, this user and this process's own confinement allow.
///
///     #include <cstdio>
///     #include <syncspawn/sandbox/machine.hpp>
///
///     int main() {
///         const syncspawn::sandbox::Machine machine = syncspawn::sandbox::Machine::here();
///         std::fputs(machine.to_string().c_str(), stdout);
///         return machine.to_string().empty() ? 1 : 0;
///     }
///
/// It prints a line for each ability; this is what Ubuntu 24.04 gives an ordinary user:
///
///     user namespace: no (unshare(CLONE_NEWNS): Operation not permitted): AppArmor takes away the capabilities
///         of a user namespace (kernel.apparmor_restrict_unprivileged_userns is not 0); give this program an
///         AppArmor profile that allows "userns", or set that sysctl to 0
///
/// Nothing is guessed from versions: a child of this process tries each call, and is gone when here() returns.

namespace syncspawn::sandbox {

/// One thing that the machine can do, or why not.
struct Ability {
    std::error_code refusal{};  ///< what the call said; none: it works
    std::string call{};         ///< the call that was refused
    std::string cause{};        ///< why, as far as that can be known
    std::string remedy{};       ///< what somebody who may can do about it

    explicit operator bool() const noexcept { return !refusal; }
    /// "yes", or "no (call: error): cause; remedy".
    [[nodiscard]] SYNCSPAWN_API std::string to_string() const;
};

/// What namespaces can be made, and used once they are.
struct NamespaceAbilities {
    Ability mounts{};     ///< a mount namespace, and a file system mounted in it
    Ability processes{};  ///< a pid namespace
    /// A new /proc for it. Refused (EPERM) where parts of the present one are covered, as in containers.
    Ability fresh_proc{};
    Ability network{};    ///< a network namespace, and its loopback device brought up
    Ability host_name{};  ///< a UTS namespace
    Ability ipc{};        ///< an IPC namespace
    Ability cgroup{};     ///< a cgroup namespace
    Ability time{};       ///< a time namespace
};

/// An aggregate, so that a plan can be tried for another machine than this one.
struct SYNCSPAWN_API Machine {
    /// For a process that has CAP_SYS_ADMIN: namespaces without a user namespace around them.
    NamespaceAbilities alone{};
    /// A user namespace can be made, and its capabilities count. (Some machines let it be made and then take
    /// the capabilities away.)
    Ability user_namespace{};
    NamespaceAbilities in_user_namespace{};
    /// The version of Landlock's ABI; 0: none. `landlock` says why.
    int landlock_version = 0;
    Ability landlock{};
    Ability system_call_filters{};  ///< seccomp
    Ability cgroups{};              ///< a cgroup for each launch can be made (version 2)
    /// The controllers that such a cgroup can have limits of: "memory", "pids", "cpu".
    std::vector<std::string> cgroup_controllers{};

    /// This one, as it is for the calling thread. What was found is kept for as long as the thread's
    /// capabilities, filters and namespaces are the same; the second call takes 50 µs or so. A thread that has
    /// entered a Landlock domain since then, and whose parent is another user's, calls probe(): the kernel tells it
    /// of none.
    [[nodiscard]] static Machine here();
    /// The same, asked afresh.
    [[nodiscard]] static Machine probe();

    /// In lines, as above.
    [[nodiscard]] std::string to_string() const;
};

}  // namespace syncspawn::sandbox
