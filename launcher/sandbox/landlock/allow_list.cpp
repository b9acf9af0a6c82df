#include "allow_list.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "path_tree.hpp"

namespace syncspawn::sandbox {
namespace {

// Without `list` a tree of devices could not be listed, either, of which it says nothing for a file.
constexpr LandlockAccess use_device =
    LandlockAccess::read | LandlockAccess::write | LandlockAccess::control | LandlockAccess::list;
// /dev/fd, /dev/stdin and so on are links into /proc.
constexpr const char* usual_devices[]{"/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
                                      "/dev/urandom", "/dev/tty",  "/dev/ptmx", "/dev/pts"};

bool allows(LandlockAccess access, LandlockAccess part) noexcept {
    return (access & part) != LandlockAccess::none;
}

LandlockAccess access_of(FileAccess access, HiddenNames names) noexcept {
    switch (access) {
        case FileAccess::writable:
            return LandlockAccess::read_write;
        case FileAccess::hidden:
            return names == HiddenNames::shown ? LandlockAccess::list : LandlockAccess::none;
        case FileAccess::read_only:
        case FileAccess::protected_path:
            break;
    }
    return LandlockAccess::read_only;
}

bool is_nothing_to_hide(const FileRule& rule) noexcept {
    return rule.access == FileAccess::hidden && rule.kind == FileRule::Kind::absent;
}

// /proc/sys is no file that a writable root is meant to have in it. And without /proc/self, hardly anything runs.
void settle_kernel_files(PathTree& root) {
    const LandlockAccess rest = root.own.value_or(LandlockAccess::none);
    for (const char* const path : {"/proc", "/sys"}) {
        const bool is_needed =
            path == std::string_view("/proc") && !allows(rest, LandlockAccess::read);
        if (is_needed || allows(rest, LandlockAccess::write)) {
            PathTree& files = root.at(path);
            files.own = files.own.value_or(LandlockAccess::read_only);
        }
    }
}

PathTree tree_of(const FileView& view, const AllowListOptions& options) {
    PathTree root;
    for (const FileRule& rule : view.rules) {
        if (!is_nothing_to_hide(rule)) {
            root.at(rule.path).own = access_of(rule.access, options.hidden_names);
        }
    }
    settle_kernel_files(root);
    if (!view.private_tmp.empty()) {
        root.at(view.private_tmp).own = LandlockAccess::list;
    }
    if (!options.private_directory.empty()) {
        root.at(options.private_directory).own = LandlockAccess::read_write;
    }
    if (view.has_device_tree) {
        root.at("/dev").own = LandlockAccess::list;
        for (const char* const device : usual_devices) {
            root.at(device).own = use_device;
        }
    }
    root.sum_up();
    return root;
}

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Null if there is none, or this user may not read it: then its entries are unknown, and stay closed.
Directory open_directory(const std::string& path) {
    Directory directory(opendir(path.c_str()));
    if (!directory && errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
        throw std::system_error(errno, std::generic_category(), "read directory '" + path + "'");
    }
    return directory;
}

// Null behind the last one.
const dirent* next_entry(const Directory& directory, const std::string& path) {
    errno = 0;
    const dirent* const entry = readdir(directory.get());
    if (entry == nullptr && errno != 0) {
        throw std::system_error(errno, std::generic_category(), "read directory '" + path + "'");
    }
    return entry;
}

class AllowList {
public:
    explicit AllowList(std::size_t most_siblings) : most_siblings_(most_siblings) {}

    // `access` is what the path has if the tree does not say otherwise, `given` what it has by rules above it.
    void allow(const std::string& path, const PathTree& tree, LandlockAccess access,
               LandlockAccess given) {
        access = tree.own.value_or(access);
        const LandlockAccess for_all = without(access & tree.of_all_below, given);
        add(path.empty() ? "/" : path, for_all);
        given = given | for_all;
        for (const auto& [name, below] : tree.below) {
            allow(path + "/" + name, below, access, given);
        }
        if (const LandlockAccess rest = without(access, given); rest != LandlockAccess::none) {
            allow_siblings(path, tree, rest);
        }
    }

    LandlockPaths take() { return std::move(paths_); }

private:
    void add(std::string path, LandlockAccess access) {
        if (access != LandlockAccess::none) {
            paths_.push_back({std::move(path), access, LandlockLookup::if_present});
        }
    }

    // All entries of the directory but those of which the tree says something.
    void allow_siblings(const std::string& path, const PathTree& tree, LandlockAccess access) {
        const Directory directory = open_directory(path.empty() ? "/" : path);
        while (const dirent* const entry = directory ? next_entry(directory, path) : nullptr) {
            const std::string_view name = entry->d_name;
            // A link is no way to anything: its target has rules of its own.
            if (name == "." || name == ".." || entry->d_type == DT_LNK ||
                tree.below.contains(name)) {
                continue;
            }
            if (siblings_++ == most_siblings_) {
                throw std::system_error(E2BIG, std::generic_category(),
                                        "'" + path + "': with its entries, more than " +
                                            std::to_string(most_siblings_) +
                                            " would have to be allowed beside excluded paths");
            }
            add(path + "/" + entry->d_name, access);
        }
    }

    LandlockPaths paths_{};
    std::size_t most_siblings_;
    std::size_t siblings_ = 0;
};

}  // namespace

LandlockRules allow_list(const FileView& view, const AllowListOptions& options) {
    AllowList list(options.most_siblings);
    list.allow("", tree_of(view, options), LandlockAccess::none, LandlockAccess::none);
    return {.paths = list.take()};
}

}  // namespace syncspawn::sandbox
