#include "hierarchy.hpp"

#include <fcntl.h>
#include <sys/vfs.h>

#include <cerrno>
#include <sstream>
#include <utility>

#include "cgroup_files.hpp"
#include "launcher/sandbox/mount_table.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr long magic_of_cgroup2 = 0x63677270;

// What is mounted there may be covered by another mount.
bool is_in_sight(const CgroupMount& mount) noexcept {
    struct statfs about {};
    return statfs(mount.point.c_str(), &about) == 0 && about.f_type == magic_of_cgroup2;
}

std::vector<CgroupMount> mounts_in_sight() {
    std::vector<CgroupMount> mounts =
        cgroup_mounts_in(read_whole_file("/proc/self/mountinfo").value_or(""));
    std::erase_if(mounts, [](const CgroupMount& mount) { return !is_in_sight(mount); });
    return mounts;
}

}  // namespace

std::string CgroupMount::directory_of(std::string_view cgroup) const {
    // What is outside of this process's cgroup namespace is named from there: "/../..".
    if (cgroup.find("/..") != std::string_view::npos) {
        return {};
    }
    const std::string_view prefix = root == "/" ? std::string_view() : std::string_view(root);
    if (!cgroup.starts_with(prefix)) {
        return {};
    }
    cgroup.remove_prefix(prefix.size());
    if (!cgroup.empty() && cgroup.front() != '/') {
        return {};
    }
    return point + std::string(cgroup == "/" ? "" : cgroup);
}

std::vector<CgroupMount> cgroup_mounts_in(std::string_view mountinfo) {
    std::vector<CgroupMount> mounts;
    for (MountPoint& mount : mounts_of("cgroup2", mountinfo)) {
        mounts.push_back({std::move(mount.root), std::move(mount.point)});
    }
    return mounts;
}

std::optional<std::string> cgroup_in(std::string_view text) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("0::")) {
            return line.substr(3);
        }
    }
    return std::nullopt;
}

Hierarchy find_hierarchy() {
    Hierarchy found;
    const std::string own =
        cgroup_in(read_whole_file("/proc/self/cgroup").value_or("")).value_or("/..");
    for (const CgroupMount& mount : mounts_in_sight()) {
        found.mount = found.mount.empty() ? mount.point : found.mount;
        if (found.own.empty() && !mount.directory_of(own).empty()) {
            found = {mount.point, mount.directory_of(own)};
        }
    }
    return found;
}

std::optional<std::string> directory_of_process(const std::string& process) {
    const auto text = read_whole_file("/proc/" + process + "/cgroup");
    if (!text) {
        return std::nullopt;
    }
    const std::string cgroup = cgroup_in(*text).value_or("/..");
    for (const CgroupMount& mount : mounts_in_sight()) {
        std::string directory = mount.directory_of(cgroup);
        if (!directory.empty()) {
            return directory;
        }
    }
    errno = ENOENT;
    return std::nullopt;
}

}  // namespace syncspawn::sandbox
