#include "path_walk.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <utility>

#include "launcher/sandbox/files/placeholders.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr std::size_t most_links = 40;  // as for the kernel: path_resolution(7)

std::string target_of(const std::string& link) {
    char target[PATH_MAX];
    const ssize_t size = readlink(link.c_str(), target, sizeof target);
    return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

// Takes the next name off the front of what is left; empty at the end.
std::string take_name(std::string& left) {
    const std::size_t begin = left.find_first_not_of('/');
    if (begin == std::string::npos) {
        left.clear();
        return {};
    }
    const std::size_t end = std::min(left.find('/', begin), left.size());
    std::string name = left.substr(begin, end - begin);
    left.erase(0, end);
    return name;
}

bool ends_missing(Walk& at, const std::string& missing) {
    at.kind = FileRule::Kind::absent;
    at.is_missing = true;
    at.path = missing;
    return false;
}

// One name further. False: the walk has ended.
bool step_into(Walk& at, const std::string& name, std::string& left) {
    if (name == "." || name == "..") {
        at.path = name == ".." ? parent_of(at.path) : at.path;
        return true;
    }
    const std::string next = below(at.path, name);
    struct stat about {};
    if (lstat(next.c_str(), &about) < 0) {
        at.error = errno == ENOENT ? 0 : errno;
        return ends_missing(at, next);
    }
    if (!S_ISLNK(about.st_mode)) {
        at.path = next;
        at.kind = S_ISDIR(about.st_mode) ? FileRule::Kind::directory : FileRule::Kind::other;
        return true;
    }
    if (at.links.size() == most_links) {
        at.error = ELOOP;
        return false;
    }
    std::string link_target = target_of(next);
    if (link_target == placeholder_target) {
        return ends_missing(at, next);
    }
    at.links.push_back({next, std::move(link_target)});
    const std::string& target = at.links.back().target;
    left = target + "/" + left;
    at.path = target.starts_with('/') ? "/" : at.path;
    at.kind = FileRule::Kind::directory;
    return true;
}

}  // namespace

Walk walk(const std::string& absolute_path) {
    Walk at{.path = "/", .kind = FileRule::Kind::directory};
    std::string left = absolute_path;
    for (std::string name = take_name(left); !name.empty(); name = take_name(left)) {
        if (at.kind == FileRule::Kind::other) {
            at.is_missing = true;
            return at;
        }
        if (!step_into(at, name, left)) {
            return at;
        }
    }
    return at;
}

bool is_within(const std::string& path, const std::string& directory) noexcept {
    return directory == "/" || path == directory ||
           (path.size() > directory.size() && path[directory.size()] == '/' &&
            path.starts_with(directory));
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string below(const std::string& directory, const std::string& name) {
    return directory == "/" ? "/" + name : directory + "/" + name;
}

}  // namespace syncspawn::sandbox
