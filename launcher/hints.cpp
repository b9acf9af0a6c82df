#include "hints.hpp"

#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace syncspawn::detail {
namespace {

// The number in a file of /proc/sys, or `otherwise` if there is no such file.
long setting(const char* path, long otherwise) {
    std::ifstream file(path);
    long value = otherwise;
    return file >> value ? value : otherwise;
}

bool asks_for(const SpawnOptions& options, Namespaces which) {
    return (options.namespaces & which) != Namespaces::none;
}

bool is_about(const SpawnError::Facts& failure, const char* text) {
    return failure.detail.find(text) != std::string::npos;
}

// By the parent, in a step whose name or report says so.
bool writes_id_maps(const SpawnError::Facts& failure) {
    return failure.stage == Stage::step && failure.side == WhichSide::parent &&
           (failure.step.find("map") != std::string::npos || is_about(failure, "map") ||
            is_about(failure, "setgroups"));
}

// What the launch itself does in the child: poll(2) and fcntl(2) say so in different ways.
bool runs_into_the_limit_of_descriptors(const SpawnError::Facts& failure) {
    return (is_about(failure, "F_DUPFD") && (failure.error == EMFILE || failure.error == EINVAL)) ||
           ((failure.detail == "barrier" || failure.detail == "dup2") && failure.error == EMFILE);
}

// Why an unprivileged user namespace is refused, from what the system says of itself.
std::string hint_for_user_namespace() {
    if (setting("/proc/sys/user/max_user_namespaces", 1) == 0) {
        return "user namespaces are off: the sysctl user.max_user_namespaces is 0";
    }
    if (geteuid() == 0) {
        return "refused to root: this process is in a chroot, or a seccomp filter or a container "
               "forbids user namespaces, or the id is not in the parent namespace's map";
    }
    if (setting("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
        return "the sysctl kernel.unprivileged_userns_clone is 0";
    }
    if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1) {
        return "AppArmor restricts user namespaces: give the program a profile with 'userns,', or "
               "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0";
    }
    return "only one's own id can be mapped, with setgroups denied first; ranges need newuidmap "
           "and "
           "an entry in /etc/subuid";
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
            return nullptr;
    }
}

}  // namespace

std::string hint_for(const SpawnOptions& options, const SpawnError::Facts& failure) {
    const int error = failure.error;
    const bool is_start = failure.stage == Stage::start;
    const bool is_refused = error == EPERM || error == EACCES;
    if (asks_for(options, Namespaces::user) && is_refused &&
        ((is_start && is_about(failure, "clone")) || writes_id_maps(failure))) {
        return hint_for_user_namespace();
    }
    if (is_start && options.cgroup >= 0) {
        if (const char* hint = hint_for_cgroup(error); hint != nullptr) {
            return hint;
        }
    }
    if (!is_start && failure.stage != Stage::prepare) {
        return failure.side == WhichSide::child && runs_into_the_limit_of_descriptors(failure)
                   ? "the child's limit of descriptors is too low for the launch: RLIMIT_NOFILE"
                   : "";
    }
    switch (error) {
        case EPERM:
            return options.namespaces == Namespaces::none || !is_about(failure, "clone")
                       ? ""
                       : "these namespaces need CAP_SYS_ADMIN, or a user namespace beside them";
        case EAGAIN:
            return "the limit of processes is reached: RLIMIT_NPROC, pids.max of the cgroup, or "
                   "kernel.pid_max";
        case ENOSPC:
            return "a limit of namespaces is reached: see the sysctls user.max_*_namespaces";
        case ENOMEM:
            return "no memory for the copy of the page tables";
        case EMFILE:
            return "this process's limit of descriptors is reached: RLIMIT_NOFILE";
        case ENFILE:
            return "the system's limit of open files is reached: fs.file-max";
        default:
            return {};
    }
}

}  // namespace syncspawn::detail
