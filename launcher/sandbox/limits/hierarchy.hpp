#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace syncspawn::sandbox {

// A place where cgroup v2 is mounted: which cgroup is to be seen there, and where.
struct CgroupMount {
    std::string root;   // "/" or, in a container, "/docker/1234"
    std::string point;  // "/sys/fs/cgroup"

    // The directory of a cgroup, as /proc/PID/cgroup names it; empty if it is not to be seen here.
    [[nodiscard]] std::string directory_of(std::string_view cgroup) const;
};

// Those in the text of a /proc/PID/mountinfo (proc_pid_mountinfo(5)).
std::vector<CgroupMount> cgroup_mounts_in(std::string_view mountinfo);
// The cgroup of version 2 in the text of a /proc/PID/cgroup (cgroups(7)). Nothing if there is none.
std::optional<std::string> cgroup_in(std::string_view text);

// What there is for this process, found anew each time: mounts and cgroups change.
struct Hierarchy {
    std::string mount;  // empty: nowhere
    std::string own;    // empty: out of sight
};
Hierarchy find_hierarchy();
// The directory of a process's cgroup. Nothing, and errno, if there is none.
std::optional<std::string> directory_of_process(const std::string& process);

}  // namespace syncspawn::sandbox
