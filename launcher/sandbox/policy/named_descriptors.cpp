#include "named_descriptors.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "further_procs.hpp"
#include "path_walk.hpp"
#include "resolution.hpp"
#include "services.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr int first_free_number = 3;

class Resolution {
public:
    Resolution(const Policy& policy, const Bindings& bindings, FileView& view,
               std::vector<Problem>& problems)
        : policy_(policy), bindings_(bindings), view_(view), problems_(problems) {}

    std::vector<PassedDescriptor> take_all() {
        for (const NamedDescriptor& one : policy_.descriptors) {
            take(one);
        }
        for (const NamedTree& one : policy_.trees) {
            take(one);
        }
        refuse_unknown_names();
        if (bindings_.terminal >= 0 && isatty(bindings_.terminal) != 1) {
            problems_.push_back({"bindings.terminal", "is no terminal", "bind Pty::terminal()"});
        }
        return std::move(passed_);
    }

private:
    bool refuse(std::string where, std::string what, std::string remedy) {
        problems_.push_back({std::move(where), std::move(what), std::move(remedy)});
        return false;
    }

    // What the name stands for: what is open there, too, if it is sound.
    std::optional<struct stat> look_at(const std::string& name, const std::string& where,
                                       int& descriptor) {
        if (name.empty()) {
            refuse(where, "has no name", "name it");
            return {};
        }
        if (!names_.insert(name).second) {
            refuse(where, "is named twice", "name them apart");
            return {};
        }
        const auto bound = bindings_.descriptors.find(name);
        if (bound == bindings_.descriptors.end()) {
            refuse(where, "is not bound", "bind a descriptor to it: Bindings::descriptors");
            return {};
        }
        struct stat about {};
        if (fstat(bound->second, &about) < 0) {
            refuse(where, "is bound to " + std::to_string(bound->second) + ", which is not open",
                   "bind an open descriptor to it");
            return {};
        }
        descriptor = bound->second;
        return about;
    }

    void take(const NamedDescriptor& named) {
        const std::string where = "descriptors '" + named.name + "'";
        int descriptor = -1;
        const auto about = look_at(named.name, where, descriptor);
        if (named.number < first_free_number) {
            refuse(where, "has the number " + std::to_string(named.number),
                   "choose 3 or more: the others are the standard streams");
        } else if (!numbers_.insert(named.number).second) {
            refuse(where, "has the number of another", "choose another one");
        } else if (about && S_ISDIR(about->st_mode)) {
            refuse(where, "is a directory, through which all files of the host are in reach",
                   "name it in trees");
        } else if (about) {
            passed_.push_back({.from = descriptor, .to = named.number});
        }
    }

    void take(const NamedTree& named) {
        const std::string where = "trees '" + named.name + "'";
        int descriptor = -1;
        const auto about = look_at(named.name, where, descriptor);
        const std::string path = place_of(named.path, where);
        if (!about || path.empty()) {
            return;
        }
        const bool is_directory = S_ISDIR(about->st_mode);
        if (has_mount_point(path, is_directory, where) && is_free(path, where) &&
            keeps_the_rules(path_of(descriptor), named.access, where) &&
            keeps_processes_out(descriptor, where) &&
            keeps_services_out(path_of(descriptor), where)) {
            view_.trees.push_back({path, descriptor, named.access == TreeAccess::writable});
        }
    }

    // Inside. No path of the host leads the way where the sandbox has covered that. Empty: it is none.
    std::string place_of(const std::string& path, const std::string& where) {
        if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) {
            refuse(where, "has no absolute path", "begin it with a '/'");
            return {};
        }
        std::string plain;
        for (std::size_t begin = 0; begin < path.size();) {
            const std::size_t end = std::min(path.find('/', begin), path.size());
            const std::string name = path.substr(begin, end - begin);
            if (name == "..") {
                refuse(where, "has '..' in its path", "name the path itself");
                return {};
            }
            plain += name.empty() || name == "." ? "" : "/" + name;
            begin = end + 1;
        }
        if (plain.empty()) {
            refuse(where, "is to be the root", "name a directory below it");
            return {};
        }
        if (is_covered(plain)) {
            return plain;
        }
        const Walk found = walk(plain);
        return found.is_missing && is_covered(found.path) ? plain : found.path;
    }

    // Whether the sandbox's own file systems are there, in which mount points are made.
    [[nodiscard]] bool is_covered(const std::string& path) const {
        const FileRule* const rule = rule_for(view_.rules, path);
        const bool is_in_tmp = !view_.private_tmp.empty() && is_within(path, view_.private_tmp) &&
                               !is_within(rule->path, view_.private_tmp);
        return is_in_tmp || rule->access == FileAccess::hidden ||
               (view_.has_device_tree && is_within(path, "/dev"));
    }

    bool has_mount_point(const std::string& path, bool is_directory, const std::string& where) {
        if (is_covered(path)) {
            return true;
        }
        const Walk found = walk(path);
        if (found.is_missing || found.path != path) {
            return refuse(where, "has no place: there is no '" + found.path + "'",
                          "make it first, or choose a path below /tmp");
        }
        if ((found.kind == FileRule::Kind::directory) != is_directory) {
            return refuse(where,
                          is_directory ? "is a directory, and its place is none"
                                       : "is no directory, and its place is one",
                          "choose another path");
        }
        return true;
    }

    bool is_free(const std::string& path, const std::string& where) {
        if (path == view_.private_tmp || (view_.has_device_tree && path == "/dev") ||
            (policy_.processes.isolated && is_within(path, "/proc"))) {
            return refuse(where, "is where the sandbox has files of its own",
                          "choose another path");
        }
        for (const FileRule& rule : view_.rules) {
            if (is_within(rule.path, path) && rule.access != FileAccess::hidden) {
                return refuse(where, "would cover '" + rule.path + "', which files names",
                              "choose another path");
            }
        }
        for (const MountedTree& other : view_.trees) {
            if (is_within(other.path, path) || is_within(path, other.path)) {
                return refuse(where, "would lie in another tree", "choose another path");
            }
        }
        return true;
    }

    static std::string path_of(int descriptor) {
        char path[PATH_MAX];
        const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
        const ssize_t size = readlink(link.c_str(), path, sizeof path);
        return {path, size > 0 ? static_cast<std::size_t>(size) : 0};
    }

    // A tree shows its files by other names than those that the rules are about.
    bool keeps_the_rules(const std::string& source, TreeAccess access, const std::string& where) {
        std::vector<std::string> ruled = policy_.files.hidden;
        if (access == TreeAccess::writable) {
            const Files& files = policy_.files;
            ruled.insert(ruled.end(), files.protected_paths.begin(), files.protected_paths.end());
            ruled.insert(ruled.end(), files.read_only.begin(), files.read_only.end());
        }
        for (std::string& path : ruled) {
            path = path.starts_with('/') ? walk(path).path : path;
        }
        if (access == TreeAccess::writable) {
            add_links_to_protected_paths(ruled);
        }
        for (const FileRule& rule : view_.rules) {
            if (rule.access == FileAccess::hidden) {
                ruled.push_back(rule.path);
            }
        }
        for (const std::string& path : ruled) {
            if (path != source && is_within(path, source)) {
                return refuse(where, "would show '" + path + "', which has a rule, by another name",
                              "name a tree without it");
            }
        }
        return true;
    }

    // Which are protected themselves.
    void add_links_to_protected_paths(std::vector<std::string>& paths) const {
        for (const std::string& path : policy_.files.protected_paths) {
            for (const FollowedLink& link : walk(path).links) {
                paths.push_back(link.path);
            }
        }
    }

    bool keeps_processes_out(int descriptor, const std::string& where) {
        if (!policy_.processes.isolated) {
            return true;
        }
        std::vector<std::string> procs = further_procs();
        procs.emplace_back("/proc");
        const std::string source = path_of(descriptor);
        return (!is_of_proc(descriptor) &&
                std::none_of(procs.begin(), procs.end(),
                             [&](const std::string& proc) { return is_within(proc, source); })) ||
               refuse(where, "would show processes outside",
                      "name a tree without a /proc, or turn processes.isolated off");
    }

    bool keeps_services_out(const std::string& source, const std::string& where) {
        if (policy_.services != Services::none) {
            return true;
        }
        for (const std::string& socket : sockets_of_host()) {
            const std::string path = walk(socket).path;
            if (path != source && is_within(path, source) && !is_named(path)) {
                return refuse(where, "would show the service '" + path + "'",
                              "name a tree without it, or its socket in files.writable");
            }
        }
        return true;
    }

    [[nodiscard]] bool is_named(const std::string& path) const {
        const Files& files = policy_.files;
        const auto contains = [&](const std::vector<std::string>& paths) {
            return std::any_of(paths.begin(), paths.end(), [&](const std::string& named) {
                return named.starts_with('/') && walk(named).path == path;
            });
        };
        return contains(files.writable) || contains(files.read_only) ||
               contains(files.protected_paths);
    }

    void refuse_unknown_names() {
        for (const auto& [name, descriptor] : bindings_.descriptors) {
            if (!names_.contains(name)) {
                refuse("bindings.descriptors '" + name + "'", "is nothing that the policy names",
                       "leave it out");
            }
        }
    }

    const Policy& policy_;
    const Bindings& bindings_;
    FileView& view_;
    std::vector<Problem>& problems_;
    std::set<std::string> names_;
    std::set<int> numbers_;
    std::vector<PassedDescriptor> passed_;
};

}  // namespace

std::vector<PassedDescriptor> resolve_descriptors(const Policy& policy, const Bindings& bindings,
                                                  FileView& view, std::vector<Problem>& problems) {
    return Resolution(policy, bindings, view, problems).take_all();
}

}  // namespace syncspawn::sandbox
