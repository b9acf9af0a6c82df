#pragma once

#include <string>

#include "launcher/sandbox/child/mounts.hpp"

namespace syncspawn::sandbox {

// A file of the host as it is now. The child, in its own mount namespace, cannot clone what this process has
// opened in another (EINVAL), so it opens the path again and compares.
struct LookedUp {
    std::string path;  // without symbolic links
    FileIdentity identity{};
};

// `what` is the operation. Throws std::system_error.
LookedUp look_up(const std::string& path, const std::string& what,
                 PathLinks links = PathLinks::followed);
LookedUp look_up(int descriptor, const std::string& what);
// Whether the path leads nowhere.
bool is_missing(const std::string& path);
// The id of this process's root mount; 0 before Linux 5.8.
std::uint64_t root_mount_id();
// The number of its mount namespace; 0 without a /proc.
std::uint64_t mount_namespace();

}  // namespace syncspawn::sandbox
