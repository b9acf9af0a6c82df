#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace syncspawn::sandbox {

struct MountPoint {
    std::string root;   // what of its file system is to be seen there: "/" is all of it
    std::string point;  // where; another mount may cover it
};

// Those of a type in the text of a /proc/PID/mountinfo (proc_pid_mountinfo(5)).
std::vector<MountPoint> mounts_of(std::string_view type, std::string_view mountinfo);

}  // namespace syncspawn::sandbox
