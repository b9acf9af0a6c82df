// Attacks on the view of the files, and on the files by which the kernel is set.
#include <dirent.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "attack.hpp"

namespace syncspawn::attacks {
namespace {

bool opens_for_writing(const char* path) { return open(path, O_WRONLY | O_CLOEXEC) >= 0; }

Outcome mount_anew() { return by(mount("none", work, "tmpfs", 0, nullptr) == 0); }

Outcome mount_by_new_calls() {
    const auto context = static_cast<int>(syscall(SYS_fsopen, "tmpfs", 0U));
    return by(context >= 0 &&
              syscall(SYS_fsconfig, context, 6U /* create */, nullptr, nullptr, 0) == 0 &&
              syscall(SYS_fsmount, context, 0U, 0U) >= 0);
}

Outcome bind_elsewhere() {
    const std::string place = std::string(work) + "/place";
    mkdir(place.c_str(), 0777);
    return by(mount("/mnt/outside", place.c_str(), nullptr, MS_BIND, nullptr) == 0);
}

Outcome clone_tree() {
    return by(syscall(SYS_open_tree, AT_FDCWD, "/mnt/outside", 1U /* clone */) >= 0);
}

Outcome remount() {
    return by(mount(nullptr, read_only_mount, nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0 &&
              writes("/mnt/mounted/file"));
}

Outcome set_attributes() {
    struct {
        std::uint64_t set, clear, propagation, user_namespace;
    } change{0, 1 /* read-only */, 0, 0};
    return by(
        syscall(SYS_mount_setattr, AT_FDCWD, "/mnt/mounted-too", 0U, &change, sizeof change) == 0);
}

Outcome take_cover_off() {
    return by((umount2(keys, MNT_DETACH) == 0 && reads_token("/mnt/tree/keys/secret")) ||
              (umount2(cover, MNT_DETACH) == 0 && reads_token("/mnt/covered/secret")));
}

Outcome change_root() { return by(chroot(work) == 0); }

bool mounts_in_user_namespace() {
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("none", work, "tmpfs", 0, nullptr) == 0;
}
Outcome mount_in_user_namespace() { return by(in_child(mounts_in_user_namespace)); }

Outcome set_core_pattern() { return by(opens_for_writing("/proc/sys/kernel/core_pattern")); }
Outcome set_host_name() { return by(opens_for_writing("/proc/sys/kernel/hostname")); }
Outcome press_sysrq() { return by(opens_for_writing("/proc/sysrq-trigger")); }
Outcome set_sys() { return by(opens_for_writing("/sys/kernel/rcu_expedited")); }
Outcome read_kcore() { return by(open("/proc/kcore", O_RDONLY | O_CLOEXEC) >= 0); }

Outcome move_to_cgroup() {
    return by(opens_for_writing("/sys/fs/cgroup/cgroup.procs") ||
              opens_for_writing("/sys/fs/cgroup/unified/cgroup.procs"));
}

}  // namespace

std::span<const Attack> attacks_on_mounts() {
    static constexpr Attack all[]{
        {"mount a file system", mount_anew, Without::root_can},
        {"mount by the new calls", mount_by_new_calls, Without::root_can, ENOSYS},
        {"mount in a user namespace of its own", mount_in_user_namespace},
        {"bind a directory to a writable place", bind_elsewhere, Without::root_can},
        {"clone a mount", clone_tree, Without::root_can, ENOSYS},
        {"mount a read-only mount again, writable", remount, Without::root_can},
        {"make a read-only mount writable by mount_setattr(2)", set_attributes, Without::root_can,
         ENOSYS},
        {"take the cover off a hidden path", take_cover_off, Without::root_can},
        {"change the root", change_root, Without::root_can},
        {"write to `/proc/sys/kernel/core_pattern`", set_core_pattern, Without::root_can, ENOENT},
        {"write to `/proc/sys/kernel/hostname`", set_host_name, Without::root_can},
        {"write to `/proc/sysrq-trigger`", press_sysrq, Without::root_can, ENOENT},
        {"write to `/sys`", set_sys, Without::root_can, ENOENT},
        {"read `/proc/kcore`", read_kcore, Without::root_can, ENOENT},
        {"move to another cgroup", move_to_cgroup, Without::root_can, ENOENT},
    };
    return all;
}

}  // namespace syncspawn::attacks
