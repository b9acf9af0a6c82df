#include "causes.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "barrier/linux/proc.hpp"

namespace syncspawn::sandbox {
namespace {

namespace proc = detail::proc;

constexpr const char* filter_remedy =
    "allow unshare, clone, mount and their kin in that filter (Docker: --security-opt seccomp=...)";

// Root of the process and of its mount namespace differ: the kernel then refuses a user namespace (EPERM).
bool is_in_chroot() noexcept {
    struct stat own {};
    struct stat first {};
    return stat("/", &own) == 0 && stat("/proc/1/root", &first) == 0 &&
           (own.st_ino != first.st_ino || own.st_dev != first.st_dev);
}

Ability refused_by_filter(int error, const char* call) {
    return refused(error, call, "a seccomp filter of this process refuses it", filter_remedy);
}

Ability refused_by_apparmor(int error, const char* call, const Circumstances& circumstances) {
    const bool is_set = circumstances.apparmor_restriction.value_or(0) != 0;
    return refused(
        error, call,
        std::string("AppArmor takes away the capabilities of a user namespace") +
            (is_set ? " (kernel.apparmor_restrict_unprivileged_userns is not 0)" : ""),
        "give this program an AppArmor profile that allows \"userns\", or set that sysctl to 0");
}

Ability refused_to_make(int error, const Circumstances& circumstances) {
    constexpr const char* call = "unshare(CLONE_NEWUSER)";
    if (error == ENOSYS || error == EINVAL) {
        return refused(error, call, "this kernel has no user namespaces",
                       "a kernel with CONFIG_USER_NS");
    }
    if (error == ENOSPC || error == EUSERS) {
        const bool is_none = circumstances.most_user_namespaces == 0;
        return refused(error, call,
                       is_none ? "user.max_user_namespaces is 0"
                               : "no more user namespaces are allowed here, in number or depth",
                       "raise the sysctl user.max_user_namespaces");
    }
    if (circumstances.unprivileged_clone == 0) {
        return refused(error, call, "kernel.unprivileged_userns_clone is 0",
                       "set that sysctl to 1");
    }
    if (circumstances.has_seccomp_filter) {
        return refused_by_filter(error, call);
    }
    if (circumstances.apparmor_restriction.value_or(0) != 0) {
        return refused_by_apparmor(error, call, circumstances);
    }
    if (circumstances.is_in_chroot) {
        return refused(error, call, "this process is in a chroot, where the kernel refuses it",
                       "use pivot_root instead of chroot");
    }
    return refused(error, call, "a security module refuses it, or this process's user has no id",
                   "look at the kernel's log");
}

Ability stripped(int error, const char* call, const Findings& findings,
                 const Circumstances& circumstances) {
    if (findings.is_in_apparmor_profile != 0 ||
        circumstances.apparmor_restriction.value_or(0) != 0) {
        return refused_by_apparmor(error, call, circumstances);
    }
    if (circumstances.has_seccomp_filter) {
        return refused_by_filter(error, call);
    }
    return refused(error, call, "a security module takes away its capabilities",
                   "look at the kernel's log");
}

Ability ability(int error, const char* call, const char* cause, const char* remedy) {
    return error == 0 ? Ability() : refused(error, call, cause, remedy);
}

// The kernel has it, but this process may not; or the limit of such namespaces is reached.
Ability made(int error, const char* call, const char* limit) {
    switch (error) {
        case 0:
            return {};
        case EINVAL:
            return refused(error, call, "this kernel has no such namespaces", "a newer kernel");
        case ENOSPC:
            return refused(error, call, std::string(limit) + " is reached", "raise that sysctl");
        default:
            break;
    }
    return refused(error, call, "this process may not make one",
                   "CAP_SYS_ADMIN, or a user namespace");
}

}  // namespace

Ability refused(int error, std::string call, std::string cause, std::string remedy) {
    return {{error, std::system_category()}, std::move(call), std::move(cause), std::move(remedy)};
}

Circumstances Circumstances::of_this_thread() {
    return {.most_user_namespaces = proc::number_in("/proc/sys/user/max_user_namespaces"),
            .unprivileged_clone = proc::number_in("/proc/sys/kernel/unprivileged_userns_clone"),
            .apparmor_restriction =
                proc::number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            .has_seccomp_filter = proc::status_number("thread-self", "Seccomp:").value_or(0) == 2,
            .is_in_chroot = sandbox::is_in_chroot()};
}

Ability user_namespace_ability(const Findings& findings, const Circumstances& circumstances) {
    // With nothing to unshare the kernel itself has nothing to refuse.
    if (findings.unshare_nothing != 0) {
        return refused_by_filter(findings.unshare_nothing, "unshare");
    }
    if (findings.user_namespace != 0) {
        return refused_to_make(findings.user_namespace, circumstances);
    }
    if (findings.mount_namespace == EPERM || findings.mount_namespace == EACCES) {
        return stripped(findings.mount_namespace, "unshare(CLONE_NEWNS)", findings, circumstances);
    }
    if (findings.mount == EPERM || findings.mount == EACCES) {
        return stripped(findings.mount, "mount", findings, circumstances);
    }
    return {};
}

NamespaceAbilities namespace_abilities(const Findings& findings, const Ability& user_namespace) {
    if (findings.user_namespace != Findings::not_tried && !user_namespace) {
        return {user_namespace, user_namespace, user_namespace, user_namespace,
                user_namespace, user_namespace, user_namespace, user_namespace};
    }
    NamespaceAbilities all;
    all.mounts = made(findings.mount_namespace, "unshare(CLONE_NEWNS)", "user.max_mnt_namespaces");
    if (all.mounts) {
        all.mounts = findings.filtered_mount != 0
                         ? refused_by_filter(findings.filtered_mount, "move_mount")
                         : ability(findings.mount, "mount", "this process may not mount",
                                   "CAP_SYS_ADMIN, or a user namespace");
    }
    all.processes =
        made(findings.pid_namespace, "unshare(CLONE_NEWPID)", "user.max_pid_namespaces");
    all.fresh_proc =
        !all.processes
            ? all.processes
            : ability(findings.fresh_proc, "mount proc",
                      "parts of the present /proc are covered, as containers do it",
                      "start the container with an uncovered /proc (Docker: --security-opt "
                      "systempaths=unconfined)");
    all.network =
        made(findings.network_namespace, "unshare(CLONE_NEWNET)", "user.max_net_namespaces");
    if (all.network) {
        all.network = ability(findings.loopback, "ioctl(SIOCSIFFLAGS, lo)",
                              "a security module takes away CAP_NET_ADMIN", "look at its log");
    }
    all.host_name = made(findings.host_name, "unshare(CLONE_NEWUTS)", "user.max_uts_namespaces");
    all.ipc = made(findings.ipc, "unshare(CLONE_NEWIPC)", "user.max_ipc_namespaces");
    all.cgroup = made(findings.cgroup, "unshare(CLONE_NEWCGROUP)", "user.max_cgroup_namespaces");
    all.time = made(findings.time, "unshare(CLONE_NEWTIME)", "user.max_time_namespaces");
    return all;
}

}  // namespace syncspawn::sandbox
