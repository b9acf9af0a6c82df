#include "resolution.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <utility>

#include "further_procs.hpp"
#include "named_paths.hpp"
#include "program_user.hpp"
#include "services.hpp"

namespace syncspawn::sandbox {
namespace {

using Kind = FileRule::Kind;
using Rules = std::map<std::string, FileRule>;

FileAccess access_of(Tree tree) noexcept {
    switch (tree) {
        case Tree::host_read_only:
            return FileAccess::read_only;
        case Tree::host:
            return FileAccess::writable;
        case Tree::named_only:
            break;
    }
    return FileAccess::hidden;
}

const FileRule& rule_for(const Rules& rules, const std::string& path) {
    for (std::string at = path;; at = parent_of(at)) {
        if (const auto found = rules.find(at); found != rules.end()) {
            return found->second;
        }
    }
}

// The rule for what is around the path, which it has a rule of its own in.
const FileRule& rule_around(const Rules& rules, const std::string& path) {
    return rule_for(rules, parent_of(path));
}

void add_link(FileView& view, const FollowedLink& link) {
    const auto is_same = [&](const FollowedLink& other) { return other.path == link.path; };
    if (std::none_of(view.links.begin(), view.links.end(), is_same)) {
        view.links.push_back(link);
    }
}

constexpr const char* made_by_kernel[]{"/dev", "/proc", "/sys"};

class Resolution {
public:
    Resolution(const Policy& policy, uid_t user, std::vector<Problem>& problems)
        : policy_(policy),
          user_(user),
          problems_(problems),
          procs_(policy.processes.isolated ? further_procs() : std::vector<std::string>()) {
        rules_["/"] = {"/", access_of(policy.files.tree), Kind::directory};
    }

    FileView take_all() {
        const std::vector<NamedPath> named = look_up(policy_.files, problems_);
        place_tmp();
        for (const NamedPath& one : named) {
            take(one);
        }
        for (const NamedPath& one : named) {
            refuse_links_of_earlier_programs(one);
        }
        if (policy_.services == Services::none) {
            hide_services();
        }
        hide_what_is_in_sight(procs_);
        drop_what_is_so_already();
        pin_what_leads_to_exceptions();
        return finished();
    }

private:
    void place_tmp() {
        if (!policy_.files.private_tmp) {
            return;
        }
        const Walk tmp = walk("/tmp");
        if (policy_.files.tree != Tree::named_only &&
            (tmp.is_missing || tmp.kind != Kind::directory)) {
            problems_.push_back({"files.private_tmp", "there is no directory /tmp to cover",
                                 "make it, or turn files.private_tmp off"});
            return;
        }
        view_.private_tmp = tmp.path;
        const Walk other = walk("/var/tmp");
        if (!other.is_missing && other.kind == Kind::directory && other.path != tmp.path) {
            rules_[other.path] = {other.path, FileAccess::hidden, Kind::directory};
            view_.further_tmp = other.path;
        }
    }

    // False: it would contradict what the sandbox makes there itself.
    bool is_free(const NamedPath& named) {
        const auto refuse = [&](const char* what, const char* remedy) {
            problems_.push_back({named.where(), what, remedy});
            return false;
        };
        if (named.walk.path == view_.private_tmp) {
            return refuse("is where the private tmp is", "turn files.private_tmp off");
        }
        if (policy_.files.device_tree && named.walk.path == "/dev") {
            return refuse("is where the device tree is",
                          "name what you need below it, or turn files.device_tree off");
        }
        if (policy_.processes.isolated && is_within(named.walk.path, "/proc")) {
            return refuse("is in the sandbox's own /proc",
                          "leave it out, or turn processes.isolated off");
        }
        if (named.access != FileAccess::hidden &&
            std::any_of(procs_.begin(), procs_.end(), [&](const std::string& proc) {
                return is_within(named.walk.path, proc);
            })) {
            return refuse("is in a /proc that shows processes outside",
                          "leave it out, or turn processes.isolated off");
        }
        return true;
    }

    void take(const NamedPath& named) {
        if (!is_free(named)) {
            return;
        }
        const Walk& walk = named.walk;
        for (const FollowedLink& link : walk.links) {
            add_link(view_, link);
            if (named.access == FileAccess::protected_path) {
                rules_.try_emplace(link.path, FileRule{link.path, named.access, Kind::link});
            }
        }
        if (named.access == FileAccess::hidden && walk.is_missing) {
            return;
        }
        FileRule& rule = rules_[walk.path];
        view_.further_tmp = walk.path == view_.further_tmp ? "" : view_.further_tmp;
        if (rule.path.empty() || named.access != FileAccess::read_only ||
            rule.access != FileAccess::protected_path) {
            // The root is within nothing, writable or not.
            const bool is_root = walk.path == "/" && named.access == FileAccess::protected_path;
            rule = {walk.path, is_root ? FileAccess::read_only : named.access, walk.kind};
        }
    }

    // Such a link may lead anywhere by now. What is hidden or protected by one is only less of the host.
    void refuse_links_of_earlier_programs(const NamedPath& named) {
        if (named.access != FileAccess::writable && named.access != FileAccess::read_only) {
            return;
        }
        for (const FollowedLink& link : named.walk.links) {
            if (may_be_written(parent_of(link.path)) && !rules_.contains(link.path)) {
                problems_.push_back({named.where(),
                                     "is reached by the symbolic link '" + link.path +
                                         "', which lies where the program may write, so an "
                                         "earlier program may have made it",
                                     "name what it leads to"});
                return;
            }
        }
    }

    // By the policy, and by the rights of the program's user, who owns the directory, or may write to it or to one
    // above it: to move it aside and make another.
    bool may_be_written(const std::string& directory) const {
        const FileRule& rule = rule_for(rules_, directory);
        if (rule.access != FileAccess::writable || is_out_of_sight(directory)) {
            return false;
        }
        for (std::string at = directory;; at = parent_of(at)) {
            if (may_change(at, user_)) {
                return true;
            }
            if (at == rule.path) {
                return false;
            }
        }
    }

    void hide_services() {
        const std::string run = directory_of_services();
        if (!run.empty()) {
            rules_.try_emplace(run, FileRule{run, FileAccess::hidden, Kind::directory});
        }
        keep_name_servers(run);
        hide_what_is_in_sight(sockets_of_host());
    }

    // But for what the policy names.
    void hide_what_is_in_sight(const std::vector<std::string>& paths) {
        for (const std::string& path : paths) {
            const Walk found = walk(path);
            if (found.error != 0 || found.is_missing || rules_.contains(found.path) ||
                is_out_of_sight(found.path)) {
                continue;
            }
            rules_[found.path] = {found.path, FileAccess::hidden, found.kind};
        }
    }

    bool is_out_of_sight(const std::string& path) const {
        const FileRule& rule = rule_for(rules_, path);
        return rule.access == FileAccess::hidden ||
               (is_within_private_tmp(path) && !is_in_private_tmp(rule)) ||
               (policy_.files.device_tree && is_within(path, "/dev"));
    }

    // /etc/resolv.conf often leads to a file in /run, without which no host is found.
    void keep_name_servers(const std::string& run) {
        const Walk servers = walk("/etc/resolv.conf");
        if (policy_.network == Network::host && policy_.files.tree != Tree::named_only &&
            !run.empty() && servers.kind == Kind::other && !servers.is_missing &&
            is_within(servers.path, run)) {
            rules_.try_emplace(servers.path,
                               FileRule{servers.path, FileAccess::read_only, Kind::other});
        }
    }

    void drop_what_is_so_already() {
        for (auto at = std::next(rules_.begin()); at != rules_.end();) {
            at = is_so_already(at->second) ? rules_.erase(at) : std::next(at);
        }
    }

    // Neither by this process nor by the program. Its user may change the mode of what is its own: then a path must
    // be kept absent where this process can make nothing.
    bool nothing_can_be_made_in(const std::string& directory) {
        if (faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) == 0) {
            return false;
        }
        if (errno == EROFS || !may_change(directory, user_)) {
            return true;
        }
        problems_.push_back({"files.protected_paths",
                             "nothing can be kept absent in '" + directory +
                                 "': it is not writable now, but the program may make it so",
                             "make it writable first, or name it in files.read_only"});
        return true;
    }

    // A protected path in what cannot be written anyway needs no protection: it is merely read-only.
    bool is_so_already(FileRule& rule) {
        const FileRule& around = rule_around(rules_, rule.path);
        const bool is_alone_in_tmp = is_within_private_tmp(rule.path) && !is_in_private_tmp(around);
        if (rule.access == FileAccess::protected_path &&
            (is_alone_in_tmp || around.access != FileAccess::writable)) {
            if (rule.kind == Kind::absent || rule.kind == Kind::link) {
                return true;
            }
            rule.access = FileAccess::read_only;
        }
        if (rule.access == FileAccess::protected_path && rule.kind == Kind::absent &&
            nothing_can_be_made_in(parent_of(rule.path))) {
            return true;
        }
        const bool is_read_alike =
            rule.access == FileAccess::read_only && around.access == FileAccess::protected_path;
        // In what is writable, the kernel's switches are not, unless they are named.
        const bool is_of_kernel = rule.access == FileAccess::writable &&
                                  (is_within(rule.path, "/sys") || is_within(rule.path, "/proc"));
        return (rule.access == around.access || is_read_alike) && !is_alone_in_tmp && !is_of_kernel;
    }

    bool is_within_private_tmp(const std::string& path) const {
        return !view_.private_tmp.empty() && is_within(path, view_.private_tmp);
    }
    bool is_in_private_tmp(const FileRule& rule) const { return is_within_private_tmp(rule.path); }

    // A directory on the way could be moved aside, with what is protected in it, and be made anew without; or the
    // next launch would find what is hidden or read-only under another name. One with a rule of its own cannot: it
    // is a mount point.
    void pin_what_leads_to_exceptions() {
        std::vector<std::string> pinned;
        for (const auto& [path, rule] : rules_) {
            if (path != "/" && rule.access != FileAccess::writable && is_of_host(path) &&
                rule_around(rules_, path).access == FileAccess::writable) {
                for (std::string at = parent_of(path); !rules_.contains(at); at = parent_of(at)) {
                    pinned.push_back(at);
                }
            }
        }
        for (const std::string& path : pinned) {
            rules_[path] = {path, FileAccess::writable, Kind::directory};
        }
    }

    // What the kernel and the sandbox have made is moved by nobody.
    bool is_of_host(const std::string& path) const {
        const auto contains = [&](const char* directory) { return is_within(path, directory); };
        return std::none_of(std::begin(made_by_kernel), std::end(made_by_kernel), contains) &&
               !(is_within_private_tmp(path) && !is_in_private_tmp(rule_around(rules_, path)));
    }

    FileView finished() {
        for (auto& [path, rule] : rules_) {
            view_.rules.push_back(std::move(rule));
        }
        std::sort(view_.links.begin(), view_.links.end(),
                  [](const FollowedLink& left, const FollowedLink& right) {
                      return left.path < right.path;
                  });
        view_.has_device_tree = policy_.files.device_tree;
        return std::move(view_);
    }

    const Policy& policy_;
    const uid_t user_;
    std::vector<Problem>& problems_;
    const std::vector<std::string> procs_;  // beside /proc, where none outside is to be seen
    Rules rules_;
    FileView view_;
};

}  // namespace

FileView resolve_files(const Policy& policy, uid_t user, std::vector<Problem>& problems) {
    return Resolution(policy, user, problems).take_all();
}

const FileRule* rule_for(const std::vector<FileRule>& rules, const std::string& path) noexcept {
    const FileRule* longest = nullptr;
    for (const FileRule& rule : rules) {
        if (is_within(path, rule.path) &&
            (longest == nullptr || rule.path.size() > longest->path.size())) {
            longest = &rule;
        }
    }
    return longest;
}

}  // namespace syncspawn::sandbox
