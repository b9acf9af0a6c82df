#pragma once

#include <string>
#include <vector>

namespace syncspawn::sandbox {

// What a program may do with a path and all that is below it, unless a longer path says otherwise.
enum class FileAccess {
    read_only,
    writable,
    hidden,
    protected_path,  // read-only within writable; if it does not exist, it cannot be made
};

// One rule, resolved: an absolute path without symbolic links, "." or "..". Only the last name may be a
// link, and only of a protected path: then the link itself is meant, and what it leads to has a rule of its
// own.
struct FileRule {
    std::string path;
    FileAccess access = FileAccess::read_only;
    enum class Kind { absent, directory, other, link } kind = Kind::directory;  // what is there
};

// A symbolic link that a rule was reached by.
struct FollowedLink {
    std::string path;    // where it lies, resolved but for itself
    std::string target;  // as readlink(2) gives it
};

// A directory or file that has come as a descriptor, and where it is to be.
struct MountedTree {
    std::string path;
    int descriptor = -1;
    bool is_writable = false;
};

// The files of a policy, as both mechanisms (mounts, Landlock) take them.
struct FileView {
    std::vector<FileRule> rules{};  // sorted by path, each once; the first is "/"
    std::string private_tmp{};      // a path that gets a directory of its own; empty: none
    // The host's other one, which a rule hides; mounts put a directory of its own there, too.
    std::string further_tmp{};
    bool has_device_tree = true;       // a minimal /dev that nothing hides
    std::vector<MountedTree> trees{};  // which only mounts can show; none is in another
    int console = -1;  // the terminal that is /dev/console; -1: as Mount::devices() has it
    std::vector<FollowedLink>
        links{};  // by which the rules were reached; sorted by path, each once
};

}  // namespace syncspawn::sandbox
