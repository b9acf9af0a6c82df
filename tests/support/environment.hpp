#pragma once

#include <initializer_list>

// Machines that refuse things, made here. A forked process of its own puts itself into one; there is no way back:
//
//     Peer peer([] {
//         docker_profile();
//         expect(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
//     });
//     CHECK_REACHED_THE_END_OR_SKIP(peer);
//
// Root and ordinary users can call each. Several can be combined: first those that cover or remount, then those that
// change who the caller is, then filters. What cannot be emulated here ends the peer by leave_out_here().

namespace syncspawn::testing {

enum class KeptCapabilities {
    of_docker,  // the 14 that Docker leaves to root in a container
    none,       // as "drop: [ALL]" of Kubernetes
};

// User 0 without CAP_SYS_ADMIN, as in a container. It may make user namespaces.
void root_without_capabilities(KeptCapabilities kept = KeptCapabilities::of_docker);

// The calls that Docker's default seccomp profile refuses who has no CAP_SYS_ADMIN. The user stays who he is.
void docker_filter();
// Both: root in a container of Docker.
void docker_profile(KeptCapabilities kept = KeptCapabilities::of_docker);

// As AppArmor does it on Ubuntu 24.04: a user namespace can be made, and its capabilities count for nothing. The
// sysctl kernel.apparmor_restrict_unprivileged_userns is 1. Root becomes an ordinary user.
void stripped_user_namespaces();

// user.max_user_namespaces is 0.
void no_user_namespaces();

// Parts of /proc are masked or read-only, as in containers: a fresh one is refused in a user namespace.
void covered_proc();
// /proc is an empty directory.
void no_proc();

// In a chroot whose root is no mount point, with the host's /usr, /etc and so on.
void in_chroot();

// Every cgroup hierarchy is mounted read-only.
void read_only_cgroups();

enum class NoLandlock {
    not_built,    // ENOSYS
    not_enabled,  // EOPNOTSUPP: "lsm=" on the kernel's command line leaves it out
};
void without_landlock(NoLandlock why = NoLandlock::not_built);
// An older version of Landlock's ABI than the kernel's, which knows no newer rights. By a child of the caller, which
// ends with it.
void old_landlock(int version);

// From now on a process that makes one of these calls is killed (SIGSYS).
void kill_for_system_calls(std::initializer_list<long> numbers);

// A Landlock domain that allows everything but, as each that is about files does, mounts.
void in_landlock_domain();

}  // namespace syncspawn::testing
