#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/peer.hpp"

// For peers that need a /proc of another kind, or none.

namespace syncspawn::testing {

// In a peer: new namespaces, by way of a user namespace where this user may not have them at once.
// CLONE_NEWPID is for the next fork. False where the machine forbids it.
inline bool enter_namespaces(int kinds) noexcept {
    return unshare(kinds) == 0 || unshare(CLONE_NEWUSER | kinds) == 0;
}

// In a peer, which must have its own mount namespace then: nobody else sees what it mounts there.
inline void make_mounts_private(const char* mount_point) noexcept {
    if (mount(nullptr, mount_point, nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
        leave_out_here("this user cannot mount, or is in a chroot whose root is no mount point");
    }
}

// In a peer: /proc is an empty directory from now on.
inline void cover_proc() noexcept {
    make_mounts_private("/proc");
    expect(mount("none", "/proc", "tmpfs", 0, nullptr) == 0);
    expect(access("/proc/self", F_OK) < 0);
}

// In a peer that is the first of its pid namespace: /proc numbers processes as it does.
inline void mount_own_proc() noexcept {
    expect(unshare(CLONE_NEWNS) == 0);
    make_mounts_private("/proc");
    expect(mount("proc", "/proc", "proc", 0, nullptr) == 0);
}

// A peer in new namespaces. It is left out where they are forbidden.
template <class Body>
Peer peer_in_namespaces(int kinds, Body body) {
    return Peer([&] {
        if (!enter_namespaces(kinds)) {
            leave_out_here("this machine forbids new namespaces");
        }
        body();
    });
}

}  // namespace syncspawn::testing
