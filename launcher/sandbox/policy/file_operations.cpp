#include "file_operations.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "path_walk.hpp"
#include "resolution.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr mode_t for_all_but_to_remove = 01777;

bool is_strictly_within(const std::string& path, const std::string& directory) noexcept {
    return path != directory && is_within(path, directory);
}

// Something has to be shown in what it hides.
bool has_something_below(const FileView& view, const std::string& directory) {
    return std::any_of(view.rules.begin(), view.rules.end(),
                       [&](const FileRule& rule) {
                           return is_strictly_within(rule.path, directory) &&
                                  rule.access != FileAccess::hidden;
                       }) ||
           std::any_of(view.trees.begin(), view.trees.end(), [&](const MountedTree& tree) {
               return is_strictly_within(tree.path, directory);
           });
}

FileOperation protection_of(const FileRule& rule) {
    FileOperation protection = Mount::protect(rule.path, LastLink::itself);
    if (rule.kind == FileRule::Kind::absent) {
        protection.missing_source = MissingSource::skip;  // where keep_absent() can make nothing
    }
    return protection;
}

FileOperation operation_of(const FileRule& rule, const FileView& view) {
    const bool is_device = view.has_device_tree && is_within(rule.path, "/dev");
    switch (rule.access) {
        case FileAccess::writable:
            return is_device ? Mount::bind_devices(rule.path, rule.path)
                             : Mount::bind_writable(rule.path, rule.path);
        case FileAccess::hidden:
            return has_something_below(view, rule.path) ? Mount::tmpfs(rule.path)
                                                        : Mount::hide(rule.path);
        case FileAccess::protected_path:
            return protection_of(rule);
        case FileAccess::read_only:
            break;
    }
    return Mount::bind(rule.path, rule.path);
}

bool is_made_by_sandbox(const FileView& view, const std::string& path) {
    const FileRule* rule = rule_for(view.rules, path);
    const bool is_in_tmp = !view.private_tmp.empty() && is_within(path, view.private_tmp) &&
                           !is_within(rule->path, view.private_tmp);
    return is_in_tmp || rule->access == FileAccess::hidden;
}

FileOperation private_directory(const std::string& path) {
    FileOperation directory = Mount::tmpfs(path);
    directory.mode = for_all_but_to_remove;
    return directory;
}

// The kernel's switches are no files of the program, whose user may be root. A /proc of the sandbox has its own covers.
void keep_switches(std::map<std::string, FileOperation>& by_path, ProcBy proc) {
    const bool has_hosts_proc = proc == ProcBy::nothing && !by_path.contains("/proc");
    for (const char* const path :
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys"}) {
        if (has_hosts_proc || !is_within(path, "/proc")) {
            by_path.try_emplace(path, Mount::bind(path, path, MissingSource::skip));
        }
    }
}

// What is written to them is memory. A cgroup counts it with the rest; without one, each is kept below the limit.
void limit_sizes(std::vector<FileOperation>& operations, std::uint64_t memory) {
    constexpr std::uint64_t most = INT64_MAX;
    for (FileOperation& operation : operations) {
        if (operation.kind == FileOperation::Kind::tmpfs ||
            operation.kind == FileOperation::Kind::devices) {
            operation.size = std::clamp(memory, std::uint64_t{1}, most);
        }
    }
}

}  // namespace

FileOperations operations_of(const FileView& view, ProcBy proc,
                             std::optional<std::uint64_t> memory) {
    FileOperations made;
    const FileAccess root = view.rules.front().access;
    made.options.root = root == FileAccess::read_only ? NewRoot::host_tree : NewRoot::empty;
    // All paths are resolved. One that leads elsewhere by now has been exchanged, maybe by a program of another
    // sandbox: its links are never followed.
    std::map<std::string, FileOperation> by_path;
    for (const FileRule& rule : view.rules) {
        if (rule.path != "/" || root == FileAccess::writable) {
            by_path[rule.path] = operation_of(rule, view);
        }
    }
    if (root == FileAccess::writable) {
        keep_switches(by_path, proc);
    }
    // A link that something was reached by, and that lies where the sandbox has covered the host.
    for (const FollowedLink& link : view.links) {
        if (is_made_by_sandbox(view, link.path) && !by_path.contains(link.path)) {
            by_path[link.path] = Mount::symlink(link.target, link.path);
        }
    }
    for (const std::string& tmp : {view.private_tmp, view.further_tmp}) {
        if (!tmp.empty()) {
            by_path[tmp] = private_directory(tmp);
        }
    }
    if (proc != ProcBy::nothing) {
        by_path["/proc"] = Mount::proc(
            "/proc", proc == ProcBy::fresh ? RefusedProc::fail : RefusedProc::bind_existing);
    }
    if (view.has_device_tree) {
        by_path["/dev"] = Mount::devices("/dev", view.console);
    } else if (root != FileAccess::hidden && !by_path.contains("/dev")) {
        by_path["/dev"] = Mount::bind_devices("/dev", "/dev");
    }
    for (const MountedTree& tree : view.trees) {
        by_path[tree.path] =
            Mount::bind(tree.descriptor, tree.path,
                        tree.is_writable ? BindAccess::writable : BindAccess::read_only);
    }
    for (auto& [path, operation] : by_path) {
        const bool is_hosts_dev = path == "/dev" && operation.kind == FileOperation::Kind::bind &&
                                  operation.access == BindAccess::devices;
        made.all.push_back(std::move(operation));
        // Devices can be written all the same.
        if (is_hosts_dev && root == FileAccess::read_only) {
            made.all.push_back(Mount::protect(path));
        }
    }
    for (FileOperation& operation : made.all) {
        operation.path_links = PathLinks::refused;
    }
    // Once all mount points in them are made.
    for (const FileRule& rule : view.rules) {
        if (rule.access == FileAccess::hidden && rule.path != view.further_tmp &&
            (rule.path == "/" || has_something_below(view, rule.path))) {
            made.all.push_back(Mount::remount_read_only(rule.path));
            made.all.back().path_links = PathLinks::refused;
        }
    }
    if (memory) {
        limit_sizes(made.all, *memory);
    }
    return made;
}

}  // namespace syncspawn::sandbox
