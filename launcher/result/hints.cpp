#include "hints.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "barrier/linux/proc.hpp"
#include "launcher/plan/program_paths.hpp"
#include "own_capability.hpp"
#include "pid_namespace_hints.hpp"

namespace syncspawn::detail {
namespace {

constexpr const char* processes_are_too_many =
    "the limit of processes is reached: RLIMIT_NPROC, pids.max of the cgroup, or kernel.pid_max";

bool asks_for(const SpawnOptions& options, Namespaces which) {
    return (options.birth.namespaces & which) != Namespaces::none;
}

bool forbids_user_namespaces(std::string& hint) {
    if (proc::number_in("/proc/sys/user/max_user_namespaces") == 0) {
        hint = "user namespaces are off: the sysctl user.max_user_namespaces is 0";
    } else if (geteuid() != 0 &&
               proc::number_in("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
        hint = "the sysctl kernel.unprivileged_userns_clone is 0";
    } else if (geteuid() != 0 &&
               proc::number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
        hint =
            "AppArmor restricts user namespaces: give the program a profile with 'userns,', or set "
            "the sysctl kernel.apparmor_restrict_unprivileged_userns to 0";
    }
    return !hint.empty();
}

std::string hint_for_refused_namespaces(const SpawnOptions& options) {
    std::string hint;
    if (!asks_for(options, Namespaces::user)) {
        return has_capability(CAP_SYS_ADMIN)
                   ? "a seccomp filter or a container forbids these namespaces"
                   : "these namespaces need CAP_SYS_ADMIN, or a user namespace beside them";
    }
    if (!forbids_user_namespaces(hint)) {
        hint =
            "this process is in a chroot, or a seccomp filter, a container or a security module "
            "forbids user namespaces, or the id is not in the parent namespace's map";
    }
    return hint;
}

// What writing a map takes: user_namespaces(7).
std::string hint_for_id_map(int error) {
    if (error == EACCES && prctl(PR_GET_DUMPABLE) != 1) {
        return "this process is not dumpable, so its child's files in /proc are root's: its "
               "program "
               "may not be read, or is set-user-ID or has file capabilities, or see "
               "PR_SET_DUMPABLE";
    }
    std::string hint;
    if ((error != EPERM && error != EACCES) || forbids_user_namespaces(hint)) {
        return hint;
    }
    if (geteuid() != 0) {
        return "only one's own id can be mapped, with setgroups denied first; for ranges see "
               "steps::map_subordinate_ids()";
    }
    for (const auto& [number, name] : {std::pair{CAP_SETUID, "CAP_SETUID"},
                                       {CAP_SETGID, "CAP_SETGID"},
                                       {CAP_SETFCAP, "CAP_SETFCAP"}}) {
        if (!has_capability(static_cast<unsigned>(number))) {
            hint += (hint.empty() ? "this process lacks " : ", ") + std::string(name);
        }
    }
    return hint.empty() ? "the map is written already, or an id in it is not in the map of this "
                          "process's own user namespace"
                        : hint;
}

// Why a process may not be born into a cgroup or join it: clone(2), cgroups(7).
const char* hint_for_cgroup(int error) {
    switch (error) {
        case EBUSY:
            return "the cgroup gives controllers to its children (cgroup.subtree_control), so only "
                   "those may hold processes";
        case EOPNOTSUPP:
            return "the cgroup's type is 'domain invalid' or it is threaded";
        case ENODEV:
        case ENOENT:
            return "the cgroup has been removed, or is none";
        case EACCES:
        case EPERM:
            return "writing to cgroup.procs must be allowed there and in the nearest cgroup that "
                   "both have above them";
        case EBADF:
        case ENOTDIR:
            return "the descriptor is not that of a directory of cgroup v2";
        default:
            return "";
    }
}

const char* hint_for_limit_of_this_process(int error) {
    switch (error) {
        case EMFILE:
            return "this process's limit of descriptors is reached: RLIMIT_NOFILE";
        case ENFILE:
            return "the system's limit of open files is reached: fs.file-max; or that of pipes: "
                   "fs.pipe-user-pages-hard";
        default:
            return "";
    }
}

const char* hint_for_preparation(const SpawnOptions& options, int error) {
    if (error == EINVAL && options.ending.scope == KillScope::cgroup) {
        return "this process itself is in that cgroup: make one for the launch alone";
    }
    if (error == EOPNOTSUPP && options.ending.scope == KillScope::cgroup) {
        return "a threaded cgroup does not say which processes are in it";
    }
    return error == ENOSPC ? "the limit of epoll's watches is reached: fs.epoll.max_user_watches"
                           : hint_for_limit_of_this_process(error);
}

std::string hint_for_birth(const SpawnOptions& options, StartMethod method, int error) {
    switch (error) {
        case EPERM:
        case EACCES:
            return options.birth.namespaces != Namespaces::none
                       ? hint_for_refused_namespaces(options)
                       : "";
        case EAGAIN:
            return processes_are_too_many;
        case ENOSPC:
            return options.birth.namespaces != Namespaces::none
                       ? "a limit of namespaces is reached: see the sysctls user.max_*_namespaces"
                       : "";
        case ENOMEM:
            if (const char* hint = hint_for_birth_without_memory(options.birth); *hint != '\0') {
                return hint;
            }
            return method == StartMethod::copied_memory
                       ? "no memory for the copy of the page tables"
                       : "";
        default:
            return hint_for_limit_of_this_process(error);
    }
}

std::string hint_for_birth_in_cgroup(const SpawnOptions& options, StartMethod method, int error) {
    const std::string hint = hint_for_cgroup(error);
    const bool is_about_namespaces = error == EPERM && options.birth.namespaces != Namespaces::none;
    return hint.empty() || is_about_namespaces ? hint_for_birth(options, method, error) : hint;
}

// What the launch itself does in the child: poll(2) and fcntl(2) say so in different ways.
const char* hint_for_limit_of_the_child(int error, KnownCall call) {
    return error == EMFILE || (error == EINVAL && call == KnownCall::duplication)
               ? "the child's limit of descriptors is too low for the launch: RLIMIT_NOFILE"
               : "";
}

std::string hint_for_error(const SpawnOptions& options, StartMethod method,
                           const SpawnError::Facts& failure) {
    const int error = failure.error;
    switch (failure.call) {
        case KnownCall::id_map:
            return hint_for_id_map(error);
        case KnownCall::session:
            return error == EPERM && options.ending.scope == KillScope::process_group
                       ? "the child leads a process group already; KillScope::session makes it "
                         "lead "
                         "both"
                       : "";
        case KnownCall::preparation:
            return hint_for_preparation(options, error);
        case KnownCall::new_thread:
            return error == EAGAIN   ? processes_are_too_many
                   : error == EINVAL ? hint_for_refused_thread()
                                     : "";
        case KnownCall::joining_a_pid_namespace:
            return hint_for_joining_a_pid_namespace(options.birth, error);
        case KnownCall::birth:
            return hint_for_birth(options, method, error);
        case KnownCall::birth_in_cgroup:
            return hint_for_birth_in_cgroup(options, method, error);
        case KnownCall::joining_a_cgroup:
            return hint_for_cgroup(error);
        case KnownCall::second_birth:
            return error == EAGAIN ? processes_are_too_many : "";
        case KnownCall::reaper:
            return "a seccomp filter or a security module must allow execveat(2) of a memory file: "
                   "it is how the reaper comes into the sandbox";
        case KnownCall::full_pipe:
            return "use run(), which reads it, or take the stream out in a part of the parent or "
                   "from the Launch";
        case KnownCall::other:
        case KnownCall::behind_execve:
        case KnownCall::duplication:
            return failure.side == WhichSide::child
                       ? hint_for_limit_of_the_child(error, failure.call)
                       : hint_for_limit_of_this_process(error);
        case KnownCall::none:
            break;
    }
    return {};
}

bool may_be_executed_by_all(const std::string& path) {
    struct stat about {};
    return stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
           (about.st_mode & S_IXOTH) != 0;
}

// Where this process would find the program; empty: nowhere.
std::string program_seen_here(const SpawnOptions& options) {
    const bool is_path = options.program_search == ProgramSearch::none;
    for (const std::string& path :
         is_path ? std::vector{options.program}
                 : program_paths(options.program, options.environment.get("PATH"))) {
        if (path.starts_with('/') && may_be_executed_by_all(path)) {
            return path;
        }
    }
    return {};
}

// What the child does not find, or only what covers it, is there for this process: then the two have different trees.
std::string hint_for_another_tree(const SpawnOptions& options, const SpawnError::Facts& failure) {
    const char* const hides =
        "' is there for this process, but the tree that the program is to run in (its root, its "
        "mount namespace, its sandbox) lacks or hides it";
    if (failure.stage == Stage::working_directory) {
        const std::string& directory = options.working_directory;
        return failure.error == ENOENT && directory.starts_with('/') &&
                       access(directory.c_str(), F_OK) == 0
                   ? "'" + directory + hides
                   : "";
    }
    const bool is_missing = failure.error == ENOENT && failure.detail.empty();
    const bool is_covered = failure.error == EACCES && asks_for(options, Namespaces::mount);
    if (failure.stage != Stage::execve || (!is_missing && !is_covered)) {
        return {};
    }
    const std::string path = program_seen_here(options);
    return path.empty() ? "" : "'" + path + hides;
}

bool is_nowhere_in_path(const SpawnOptions& options, const SpawnError::Facts& failure) {
    return failure.stage == Stage::execve && failure.error == ENOENT && failure.detail.empty() &&
           options.program_search == ProgramSearch::path &&
           options.program.find('/') == std::string::npos;
}

bool has_several_threads() { return proc::status_number("self", "Threads:").value_or(1) != 1; }

}  // namespace

std::string hint_for(const SpawnOptions& options, StartMethod method,
                     const SpawnError::Facts& failure) {
    const bool is_in_childs_part = failure.stage == Stage::step && failure.side == WhichSide::child;
    if (failure.cause == Cause::error && failure.side == WhichSide::child) {
        if (std::string hint = hint_for_another_tree(options, failure); !hint.empty()) {
            return hint;
        }
    }
    if (failure.cause == Cause::error && is_nowhere_in_path(options, failure)) {
        return "it is in no directory of PATH";
    }
    if (failure.cause == Cause::error) {
        return hint_for_error(options, method, failure);
    }
    if (failure.cause == Cause::killed && failure.stage != Stage::readiness &&
        failure.status->signal() == SIGSYS) {
        return failure.stage == Stage::execve
                   ? "a seccomp filter killed it: it must allow execve(2)"
                   : "a seccomp filter killed it. One that forbids what the launch itself still "
                     "has "
                     "to call belongs into Step::last";
    }
    if (failure.cause == Cause::exited && is_in_childs_part &&
        method == StartMethod::shared_memory) {
        return "did the part call exit(3)? It must not: the exit handlers are the parent's";
    }
    if (failure.cause == Cause::timed_out && is_in_childs_part &&
        method == StartMethod::copied_memory && options.birth.namespaces != Namespaces::none &&
        has_several_threads()) {
        return "does the part call setuid(3) or the like? The C library waits there for ever, for "
               "threads that this child does not have: use syscall(2)";
    }
    return {};
}

}  // namespace syncspawn::detail
