#include "further_procs.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "launcher/sandbox/limits/cgroup_files.hpp"
#include "launcher/sandbox/mount_table.hpp"
#include "path_walk.hpp"

namespace syncspawn::sandbox {
namespace {

// Not the kernel's own files: "/sys", "/uptime".
bool has_processes(const std::string& root) noexcept {
    return root == "/" || (root.size() > 1 && root[1] >= '0' && root[1] <= '9');
}

// What is mounted there may be covered by another mount.
bool is_in_sight(const std::string& path) noexcept {
    struct statfs about {};
    return statfs(path.c_str(), &about) == 0 && about.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

std::vector<std::string> further_procs() {
    std::vector<std::string> paths;
    const std::string table = read_whole_file("/proc/self/mountinfo").value_or("");
    for (const MountPoint& mount : mounts_of("proc", table)) {
        if (has_processes(mount.root) && !is_within(mount.point, "/proc") &&
            is_in_sight(mount.point)) {
            paths.push_back(mount.point);
        }
    }
    return paths;
}

bool is_of_proc(int descriptor) noexcept {
    struct statfs about {};
    return fstatfs(descriptor, &about) == 0 && about.f_type == PROC_SUPER_MAGIC;
}

}  // namespace syncspawn::sandbox
