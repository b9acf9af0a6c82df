#include "namespaces.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080  // Linux 5.6
#endif

namespace syncspawn::sandbox {
namespace {

constexpr const char* user_map = "/proc/self/uid_map";
constexpr const char* group_map = "/proc/self/gid_map";
constexpr const char* group_rights = "/proc/self/setgroups";
constexpr const char* clocks = "/proc/self/timens_offsets";
constexpr const char* most_user_namespaces = "/proc/sys/user/max_user_namespaces";

// 0, or the errno.
int write_file(const char* path, std::string_view text) noexcept {
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    const bool is_written = file >= 0 && write(file, text.data(), text.size()) >= 0;
    const int error = is_written ? 0 : errno;
    if (file >= 0) {
        close(file);
    }
    return error;
}

// A namespace other than the first begins with an empty map.
bool has_map() noexcept {
    char byte = 0;
    const int file = open(user_map, O_RDONLY | O_CLOEXEC);
    const bool has_one = file >= 0 && read(file, &byte, 1) == 1;
    if (file >= 0) {
        close(file);
    }
    return has_one;
}

std::error_code refuse_map(ChildSide& side, const char* file, int error) noexcept {
    if (error == EPERM && has_map() && file != group_map) {
        return side.fail(EINVAL,
                         "the child is in no user namespace of its own (birth.namespaces), or its "
                         "map is written already");
    }
    if (error == ENOENT) {
        return side.fail(error, "/proc/self/uid_map: /proc is not mounted where the child is");
    }
    return side.fail(error, file, Hint::id_map);
}

}  // namespace

std::error_code require_own_namespace(ChildSide& side, const OuterNamespace& outer) noexcept {
    struct stat own {};
    if (stat(outer.file, &own) < 0) {
        return side.fail(outer.file);
    }
    return own.st_ino == outer.number && own.st_dev == outer.device
               ? side.fail(EINVAL, outer.complaint)
               : side.done();
}

std::error_code write_own_maps(ChildSide& side, const OwnIdMaps& maps) noexcept {
    if (const int error = write_file(user_map, maps.users.data())) {
        return refuse_map(side, user_map, error);
    }
    if (const int error = write_file(group_rights, "deny")) {
        return refuse_map(side, group_rights, error);
    }
    if (const int error = write_file(group_map, maps.groups.data())) {
        return refuse_map(side, group_map, error);
    }
    return side.done();
}

std::error_code set_name(ChildSide& side, const OuterNamespace& outer,
                         const NameToSet& name) noexcept {
    if (const std::error_code error = require_own_namespace(side, outer)) {
        return error;
    }
    return syscall(name.call, name.name.data(), std::strlen(name.name.data())) < 0
               ? side.fail(name.call_name)
               : side.done();
}

std::error_code set_time_offsets(ChildSide& side, const ShortText& offsets,
                                 TimeEntry entry) noexcept {
    if (syscall(SYS_unshare, CLONE_NEWTIME) < 0) {
        return side.fail("unshare(CLONE_NEWTIME)");
    }
    if (const int error = write_file(clocks, offsets.data())) {
        return side.fail(error, clocks);
    }
    if (entry == TimeEntry::by_execve) {
        return side.done();
    }
    const int made = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (made < 0) {
        return side.fail("/proc/self/ns/time_for_children");
    }
    const std::error_code error = syscall(SYS_setns, made, CLONE_NEWTIME) < 0
                                      ? side.fail("setns: time namespace")
                                      : side.done();
    close(made);
    return error;
}

std::error_code leave_cgroup_namespace(ChildSide& side) noexcept {
    return syscall(SYS_unshare, CLONE_NEWCGROUP) < 0 ? side.fail("unshare(CLONE_NEWCGROUP)")
                                                     : side.done();
}

std::error_code forbid_user_namespaces(ChildSide& side, const OuterNamespace& outer) noexcept {
    if (const std::error_code error = require_own_namespace(side, outer)) {
        return error;
    }
    // Opened by the child: the file stands for the user namespace of who opens it.
    const int error = write_file(most_user_namespaces, "0");
    return error != 0 ? side.fail(error, most_user_namespaces) : side.done();
}

}  // namespace syncspawn::sandbox
