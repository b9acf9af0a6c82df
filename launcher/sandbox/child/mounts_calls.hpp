#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

// The system calls of the mount engine, bare. Not <sys/mount.h>, which glibc 2.36 cannot have beside
// <linux/mount.h>.

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000  // Linux 5.2
#endif

namespace syncspawn::sandbox::calls {

constexpr int detach = 2;  // MNT_DETACH, umount2(2)
constexpr unsigned context_cloexec = FSOPEN_CLOEXEC;

// Linux 5.2
inline int open_tree(int directory, const char* path, unsigned flags) noexcept {
    return static_cast<int>(syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLOEXEC));
}
inline bool move_mount(int mount, int directory, const char* path) noexcept {
    const unsigned empty = *path == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0;
    return syscall(SYS_move_mount, mount, "", directory, path, MOVE_MOUNT_F_EMPTY_PATH | empty) ==
           0;
}
inline int fsopen(const char* type) noexcept {
    return static_cast<int>(syscall(SYS_fsopen, type, context_cloexec));
}
inline bool configure(int context, const char* key, const char* value) noexcept {
    return syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0) == 0;
}
inline bool create(int context) noexcept {
    return syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
}
inline int fsmount(int context, std::uint64_t attributes) noexcept {
    return static_cast<int>(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
}
// Linux 5.12
inline bool set_attributes(int mount, unsigned flags, std::uint64_t set,
                           std::uint64_t clear = 0) noexcept {
    mount_attr attributes{};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    return syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | flags, &attributes,
                   sizeof attributes) == 0;
}
// Linux 5.6
inline int openat2(int directory, const char* path, std::uint64_t flags,
                   std::uint64_t resolve) noexcept {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = resolve;
    return static_cast<int>(syscall(SYS_openat2, directory, path, &how, sizeof how));
}
// mount(2), whose flags <sys/mount.h> has. Those of attributes are MOUNT_ATTR_..., which are the same.
constexpr unsigned long read_only = 1;
constexpr unsigned long nosuid = 2;
constexpr unsigned long nodev = 4;
constexpr unsigned long noexec = 8;
constexpr unsigned long remount = 32;
constexpr unsigned long nosymfollow = 256;  // Linux 5.10
constexpr unsigned long bind = 4096;
constexpr unsigned long move = 8192;
constexpr unsigned long recursive = 16384;
constexpr unsigned long unbindable = 1UL << 17;
inline bool mount(const char* source, const char* place, const char* type, unsigned long flags,
                  const char* settings) noexcept {
    return syscall(SYS_mount, source, place, type, flags, settings) == 0;
}
static_assert(read_only == MOUNT_ATTR_RDONLY && nosuid == MOUNT_ATTR_NOSUID &&
              nodev == MOUNT_ATTR_NODEV && noexec == MOUNT_ATTR_NOEXEC);
inline bool statx(int fd, unsigned mask, struct statx& about, const char* path = "") noexcept {
    return syscall(SYS_statx, fd, path, AT_EMPTY_PATH, mask, &about) == 0;
}

}  // namespace syncspawn::sandbox::calls
