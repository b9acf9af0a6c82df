#include "kept_root.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "barrier/linux/clone_with_stack.hpp"

namespace syncspawn::sandbox {
namespace {

using Kind = FileOperation::Kind;

bool is_above(const std::string& directory, const std::string& path) {
    return path.size() > directory.size() && path.starts_with(directory) &&
           path[directory.size()] == '/';
}

// Who is chrooted can make no user namespace (EPERM), so that nobody finds a way out by the capabilities there. A child
// that does nothing else has been born into one.
bool can_make_user_namespace() {
#ifdef SYNCSPAWN_CAN_SHARE_MEMORY
    constexpr auto end = [](void*) noexcept {
        for (;;) {
            detail::call_without_errno(SYS_exit_group, 0, 0, 0, 0);
        }
    };
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // The child must not run the handlers of this process, whose memory it has.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // No SIGCHLD at its end: no handler hears of it, and no waitpid(-1) of the program takes it.
    const long child = detail::clone_below(CLONE_NEWUSER, end, nullptr);
    while (child > 0 && waitpid(static_cast<pid_t>(child), nullptr, __WALL) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return child > 0;
#else
    return false;
#endif
}

// A chroot into a directory of the same mount changes nothing else.
bool is_root_of_its_mount() {
    struct statx about {};
    return statx(AT_FDCWD, "/", 0, 0, &about) == 0 &&
           (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool is_root_of_namespace(std::uint64_t root_mount) {
    // Of the last one that was.
    static constinit std::atomic<std::uint64_t> known{0};
    if (root_mount == 0 || !is_root_of_its_mount()) {
        return false;
    }
    if (known != root_mount && !can_make_user_namespace()) {
        return false;
    }
    known = root_mount;
    return true;
}

// The clones are open all at the same time.
bool has_many_descriptors() {
    constexpr rlim_t many = 256;
    rlimit descriptors{};
    return getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur >= many;
}

// No symbolic link on the way: what is mounted there is mounted nowhere else.
bool is_straight(std::string path) {
    while (!path.empty()) {
        const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr),
                                                                   &std::free);
        if (resolved) {
            return path == resolved.get();
        }
        path.resize(path.rfind('/'));
    }
    return true;
}

// The paths at which something has been mounted so far.
class Touched {
public:
    void add(const std::string& path) { paths_.insert(path); }

    // Such a path is this one, or above or below it.
    [[nodiscard]] bool reaches(const std::string& path) const {
        for (std::string above = path; !above.empty(); above.resize(above.rfind('/'))) {
            if (paths_.contains(above)) {
                return true;
            }
        }
        const auto below = paths_.lower_bound(path + '/');
        return below != paths_.end() && is_above(path, *below);
    }

private:
    std::set<std::string> paths_{};
};

class Planning {
public:
    explicit Planning(std::span<MountAction> actions) : actions_(actions) {}

    bool can_keep_root() {
        return !actions_.empty() && actions_.front().kind == Kind::bind &&
               actions_.front().number == 0 && is_root(actions_.front()) &&
               std::all_of(actions_.begin() + 1, actions_.end(),
                           [this](MountAction& action) { return add(action); }) &&
               early_clones_ <= most_early_clones;
    }

private:
    static bool is_root(const MountAction& action) { return action.destination[1] == '\0'; }

    bool add(MountAction& action) {
        const bool is_known_place = action.path_links == PathLinks::refused ||
                                    (!goes_by_new_link(action) && is_straight(action.destination));
        if (action.kind == Kind::overlay || is_root(action) || !is_known_place ||
            (action.refused_proc == RefusedProc::bind_existing && touched_.reaches("/proc"))) {
            return false;
        }
        clone_early(action);
        place_store(action);
        touched_.add(action.destination);
        const bool needs_store =
            action.kind == Kind::hide || action.kind == Kind::data || !action.covered.empty();
        return has_store_ || !needs_store;
    }

    // A symbolic link of another action is there, or on the way.
    [[nodiscard]] bool goes_by_new_link(const MountAction& action) const {
        return std::any_of(actions_.begin(), actions_.end(), [&action](const MountAction& other) {
            return other.kind == Kind::symlink && &other != &action &&
                   (is_above(other.destination, action.destination) ||
                    std::string_view(other.destination) == action.destination);
        });
    }

    // What is to be less restricted than the root, or is out of sight by then.
    void clone_early(MountAction& action) {
        constexpr std::uint64_t of_root = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
        const bool is_bind = action.kind == Kind::bind;
        if (action.kind == Kind::devices ||
            (is_bind && (action.attributes != of_root || touched_.reaches(action.source.path)))) {
            action.early = early_clones_;
            early_clones_ += is_bind ? 1 : static_cast<int>(action.devices.size());
        }
    }

    // Below something that covers it.
    void place_store(MountAction& action) {
        const bool is_new_file_system =
            action.kind == Kind::devices || action.kind == Kind::proc || action.kind == Kind::tmpfs;
        action.covers_store = is_new_file_system && !has_store_;
        has_store_ = has_store_ || is_new_file_system;
    }

    std::span<MountAction> actions_;
    bool has_store_ = false;
    int early_clones_ = 0;
    Touched touched_{};
};

}  // namespace

void plan_kept_root(std::span<MountAction> actions, MountPlan& plan) {
    Planning planning(actions);
    if (plan.clones_of_root != 1 || !has_many_descriptors() || !planning.can_keep_root()) {
        return;
    }
    plan.may_keep_root = is_root_of_namespace(plan.parents_root);
}

}  // namespace syncspawn::sandbox
