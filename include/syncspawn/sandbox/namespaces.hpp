#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include <syncspawn/launcher/step.hpp>

/// What the child does in its new namespaces (namespaces(7)): its id, its host name, its clocks.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/namespaces.hpp>
///
///     using syncspawn::Namespaces;
///
///     int main() {
///         namespace sandbox = syncspawn::sandbox;
///         syncspawn::SyncedSpawner spawner(
///             {.program = "sh",
///              .arguments = {"-c", "test $(id -u) = 1000 && test $(uname -n) = box"},
///              .birth = {.namespaces = Namespaces::user | Namespaces::uts}});
///         spawner.step(sandbox::map_own_id({.user = 1000, .group = 1000}));
///         spawner.step(sandbox::host_name("box"));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The child is born into the namespaces (`birth.namespaces`). Add these steps before others: a child in a
/// new user namespace has no id until it is mapped, but all capabilities, until it executes a program.
///
/// The parent takes no part and nobody waits, so a launch with these steps alone has no rendezvous. Memory
/// may be shared. All of them need a /proc, be it the one outside, as long as the child sees it.
///
/// Those that would change something of the host's, if the child were in no namespace of its own, see that
/// it is: else the launch fails with EINVAL.

namespace syncspawn::sandbox {

/// Who the caller is in there.
struct OwnIds {
    uid_t user = 0;
    gid_t group = 0;
};

/// The child writes its own map, of one user and one group: outside, these are the effective ones of the
/// caller of this function. No privilege is needed, except that user 0 outside needs CAP_SETFCAP (Linux
/// 5.12).
///
/// The kernel demands that setgroups(2) is given up for the namespace, even by root: supplementary groups
/// stay, and are shown as "nogroup". steps::map_root() and its kin let the parent write the map instead:
/// then root keeps setgroups(2), and a step that wants the map waits for the parent.
///
/// The launch fails with EPERM where something takes the child's capabilities away at once, as AppArmor
/// does on Ubuntu: the error says so if the sysctl does. Throws std::invalid_argument for the id -1.
[[nodiscard]] SYNCSPAWN_API Step map_own_id(OwnIds inside = {});

/// The name that gethostname(2) tells. It takes Namespaces::uts. Throws std::invalid_argument for a name of
/// more than 64 bytes, or with a NUL in it.
[[nodiscard]] SYNCSPAWN_API Step host_name(const std::string& name);
/// The same for getdomainname(2), the domain of NIS.
[[nodiscard]] SYNCSPAWN_API Step domain_name(const std::string& name);

/// How far the clocks go ahead of those outside; behind them, if negative.
struct TimeOffsets {
    std::chrono::nanoseconds monotonic{0};  ///< CLOCK_MONOTONIC and its kin
    std::chrono::nanoseconds boottime{0};   ///< CLOCK_BOOTTIME and its kin, and what uptime(1) says
};

/// The program runs in a new time namespace with these offsets (time_namespaces(7)). There is no
/// Namespaces::time: the step makes the namespace. CLOCK_REALTIME is the same everywhere.
///
/// It takes Linux 5.6 (else EINVAL), and CAP_SYS_ADMIN and CAP_SYS_TIME: in a user namespace at birth, the
/// child has them. ERANGE: a clock would be before 0, or beyond 146 years.
///
/// From Linux 6.3 on the program's clocks change in execve. Before, only a child whose memory is its own
/// can enter the namespace, so memory is copied, and the clocks of later parts in the child are the new
/// ones.
[[nodiscard]] SYNCSPAWN_API Step time_offsets(TimeOffsets offsets);

/// The cgroup that the child is in by then is the root of all that it sees of cgroups
/// (cgroup_namespaces(7)). Not the same as Namespaces::cgroup: a child that is born into `birth.cgroup` and
/// such a namespace sees the cgroup of its parent as the root.
[[nodiscard]] SYNCSPAWN_API Step new_cgroup_namespace();

/// Nobody can make a user namespace within the child's: unshare(2) and clone(2) answer ENOSPC. The child
/// writes 0 to /proc/sys/user/max_user_namespaces, which stands for its own user namespace, even in the
/// /proc of the one outside.
///
/// Who has CAP_SYS_RESOURCE in there and may write to that file can take it back. So give the program no
/// capabilities, or mount /proc/sys read-only. EROFS, ENOENT: it is read-only, or not there, already now,
/// as in many containers. Then refuse the calls: default_deny_set() does.
[[nodiscard]] SYNCSPAWN_API Step no_nested_user_namespaces();

}  // namespace syncspawn::sandbox
