#pragma once

#include <string>
#include <vector>

#include "file_view.hpp"

namespace syncspawn::sandbox {

// Where a path leads, and how.
struct Walk {
    // Without symbolic links, "." and "..": as realpath(3) gives it. If a name is missing on the way, the path
    // ends with that name: nothing can be below before it is made. If a name on the way is a file, it ends
    // there.
    std::string path;
    FileRule::Kind kind = FileRule::Kind::absent;  // of that; never `link`
    bool is_missing = false;
    std::vector<FollowedLink> links{};  // in the order in which they were followed
    int error = 0;                      // it leads nowhere else: EACCES, ELOOP ...
};

// Follows an absolute path as the kernel does. But where another sandbox keeps a path absent, or has been killed
// while it did, there is nothing: its placeholder is no link.
Walk walk(const std::string& absolute_path);

// Whether `path` is `directory` or below it. Both are resolved.
bool is_within(const std::string& path, const std::string& directory) noexcept;

// "/" for "/etc".
std::string parent_of(const std::string& path);

// "/etc" and "x": "/etc/x".
std::string below(const std::string& directory, const std::string& name);

}  // namespace syncspawn::sandbox
