#include "named_paths.hpp"

#include <utility>

namespace syncspawn::sandbox {
namespace {

struct List {
    const char* name;
    std::vector<std::string> Files::*paths;
    FileAccess access;
};
constexpr List lists[]{
    {"files.writable", &Files::writable, FileAccess::writable},
    {"files.read_only", &Files::read_only, FileAccess::read_only},
    {"files.protected_paths", &Files::protected_paths, FileAccess::protected_path},
    {"files.hidden", &Files::hidden, FileAccess::hidden},
};

bool must_exist(FileAccess access) noexcept {
    return access == FileAccess::writable || access == FileAccess::read_only;
}

const char* adjective(FileAccess access) noexcept {
    switch (access) {
        case FileAccess::read_only:
            return "read-only";
        case FileAccess::writable:
            return "writable";
        case FileAccess::hidden:
            return "hidden";
        case FileAccess::protected_path:
            break;
    }
    return "protected";
}

// Whether it can be followed at all; else the problem says why not.
bool is_sound(const NamedPath& named, std::vector<Problem>& problems) {
    if (named.written.empty() || named.written.front() != '/') {
        problems.push_back({named.where(), "is not absolute", "begin it with a '/'"});
        return false;
    }
    if (named.written.find('\0') != std::string::npos) {
        problems.push_back({named.where(), "has a NUL in it", "no file has such a name"});
        return false;
    }
    return true;
}

bool leads_somewhere(const NamedPath& named, std::vector<Problem>& problems) {
    const Walk& walk = named.walk;
    if (walk.error != 0) {
        problems.push_back({.where = named.where(),
                            .what = "cannot be looked at, at '" + walk.path + "'",
                            .remedy = "name a path that this process may follow",
                            .code = {walk.error, std::system_category()}});
        return false;
    }
    if (walk.is_missing && must_exist(named.access)) {
        problems.push_back({named.where(), "does not exist: there is no '" + walk.path + "'",
                            "make it first, or leave it out"});
        return false;
    }
    return true;
}

// Of two that mean the same path, whether both can hold.
bool agree(FileAccess left, FileAccess right) noexcept {
    const auto only_reads = [](FileAccess access) {
        return access == FileAccess::read_only || access == FileAccess::protected_path;
    };
    return left == right || (only_reads(left) && only_reads(right));
}

bool mean_the_same(const Walk& left, const Walk& right) noexcept {
    return left.path == right.path && left.is_missing == right.is_missing;
}

// Whether it may stand beside those that are named earlier; else the problems say why not.
bool fits(const NamedPath& later, const std::vector<NamedPath>& all,
          std::vector<Problem>& problems) {
    for (const NamedPath& earlier : all) {
        if (earlier.list == later.list && earlier.written == later.written) {
            problems.push_back({later.where(), "is named twice", "name it once"});
            return false;
        }
        if (mean_the_same(earlier.walk, later.walk) && !agree(earlier.access, later.access)) {
            problems.push_back(
                {later.where(),
                 std::string("is ") + adjective(earlier.access) + ", too, by " + earlier.where(),
                 "leave one of them out"});
            return false;
        }
    }
    return true;
}

}  // namespace

std::vector<NamedPath> look_up(const Files& files, std::vector<Problem>& problems) {
    std::vector<NamedPath> all;
    for (const List& list : lists) {
        for (const std::string& path : files.*list.paths) {
            NamedPath named{list.name, list.access, path, {}};
            if (!is_sound(named, problems)) {
                continue;
            }
            named.walk = walk(path);
            if (leads_somewhere(named, problems) && fits(named, all, problems)) {
                all.push_back(std::move(named));
            }
        }
    }
    return all;
}

}  // namespace syncspawn::sandbox
