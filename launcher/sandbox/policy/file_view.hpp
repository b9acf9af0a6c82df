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

// One rule, resolved: an absolute path without symbolic links, "." or "..".
struct FileRule {
    std::string path;
    FileAccess access = FileAccess::read_only;
    enum class Kind { absent, directory, other } kind = Kind::directory;  // what is there
};

// The files of a policy, as both mechanisms (mounts, Landlock) take them.
struct FileView {
    std::vector<FileRule> rules{};  // sorted by path, each once; the first is "/"
    std::string private_tmp{};      // a path that gets a directory of its own; empty: none
    bool has_device_tree = true;    // a minimal /dev that nothing hides
};

}  // namespace syncspawn::sandbox
