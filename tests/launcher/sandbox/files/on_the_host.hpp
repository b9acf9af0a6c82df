#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <string>

// What lies at a path of the host, links not followed.

namespace syncspawn::testing {

inline bool is_link(const std::string& path) {
    struct stat about {};
    return lstat(path.c_str(), &about) == 0 && S_ISLNK(about.st_mode);
}

inline bool is_directory(const std::string& path) {
    struct stat about {};
    return lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

inline bool is_gone(const std::string& path) {
    struct stat about {};
    return lstat(path.c_str(), &about) < 0 && errno == ENOENT;
}

}  // namespace syncspawn::testing
