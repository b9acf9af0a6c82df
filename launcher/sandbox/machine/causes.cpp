#include "causes.hpp"

#include <cerrno>
#include <string>
#include <utility>

namespace syncspawn::sandbox {
namespace {

constexpr const char* no_proc = "/proc is not mounted here, or is that of another pid namespace";
constexpr const char* mount_proc = "mount -t proc proc /proc";
constexpr const char* filter_remedy =
    "allow unshare, clone, mount and their kin in that filter (Docker: --security-opt seccomp=...)";

Ability refused_by_filter(int error, const char* call) {
    return refused(error, call, "a seccomp filter of this process refuses it", filter_remedy);
}

Ability refused_in_chroot(int error, const char* call) {
    return refused(error, call, "this process is in a chroot, where the kernel refuses it",
                   "use pivot_root instead of chroot");
}

Ability refused_by_apparmor(int error, const char* call, const Circumstances& circumstances) {
    const bool is_set = circumstances.apparmor_restriction.value_or(0) != 0;
    return refused(
        error, call,
        std::string("AppArmor takes away the capabilities of a user namespace") +
            (is_set ? " (kernel.apparmor_restrict_unprivileged_userns is not 0)" : ""),
        "give this program an AppArmor profile that allows \"userns\", or set that sysctl to 0");
}

Ability refused_to_make(const Findings& findings, const Circumstances& circumstances) {
    const int error = findings.user_namespace;
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
    if (findings.filtered_user_namespace > 0) {
        return refused_by_filter(error, call);
    }
    if (circumstances.unprivileged_clone == 0) {
        return refused(error, call, "kernel.unprivileged_userns_clone is 0",
                       "set that sysctl to 1");
    }
    if (circumstances.is_in_chroot) {
        return refused_in_chroot(error, call);
    }
    if (circumstances.apparmor_restriction.value_or(0) != 0) {
        return refused_by_apparmor(error, call, circumstances);
    }
    if (circumstances.has_seccomp_filter) {
        return refused_by_filter(error, call);
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

// Without an id in the namespace nobody can make a file there.
Ability unmapped(int error, const Circumstances& circumstances) {
    constexpr const char* call = "/proc/self/uid_map";
    if (!circumstances.has_proc) {
        return refused(error, call, no_proc, mount_proc);
    }
    if (!circumstances.may_map_itself) {
        return refused(error, call,
                       "root without CAP_SETFCAP may not map itself into a user namespace",
                       "give it CAP_SETFCAP (Docker: --cap-add SETFCAP), or be another user");
    }
    if (error == EACCES && !circumstances.is_dumpable) {
        return refused(
            error, call,
            "this process is not dumpable, as after a change of its ids, so its files in "
            "/proc are root's",
            "prctl(PR_SET_DUMPABLE, 1) behind that change, or execve");
    }
    return refused(error, call, "its ids cannot be mapped", "see user_namespaces(7)");
}

// What may be mounted, but not where: by the first of its calls that failed.
Ability not_laid_out(const Findings& findings, const Circumstances& circumstances) {
    const int error = findings.layout;
    const char* const call = findings.layout_call;
    if (error == EINVAL || circumstances.is_in_chroot) {
        return refused(error, call, "the root is no mount point, as in a chroot",
                       "mount --bind DIRECTORY DIRECTORY before the chroot, or pivot_root instead");
    }
    if (error == EACCES && !circumstances.apparmor_profile.empty()) {
        return refused(error, call,
                       "the AppArmor profile '" + circumstances.apparmor_profile +
                           "' of this process forbids it",
                       "allow mount in that profile (Docker: --security-opt apparmor=unconfined)");
    }
    if (error == EPERM) {
        return refused(error, call, "this process is in a Landlock domain, where nobody may mount",
                       "start it outside of that domain");
    }
    return refused(error, call, "a security module refuses it", "look at the kernel's log");
}

Ability mount_ability(const Findings& findings, const Circumstances& circumstances) {
    if (findings.filtered_mount == ENOSYS && !circumstances.has_seccomp_filter) {
        return refused(ENOSYS, findings.filtered_call, "this kernel does not have that call",
                       "Linux 5.2");
    }
    if (findings.filtered_mount > 0) {
        return refused_by_filter(findings.filtered_mount, findings.filtered_call);
    }
    if (findings.mount != 0) {
        return refused(findings.mount, "mount", "this process may not mount",
                       "CAP_SYS_ADMIN, or a user namespace");
    }
    return findings.layout > 0 ? not_laid_out(findings, circumstances) : Ability();
}

Ability ability(int error, const char* call, const char* cause, const char* remedy) {
    return error == 0 ? Ability() : refused(error, call, cause, remedy);
}

// The kernel has it, but this process may not; or the limit of such namespaces is reached.
Ability made(int error, const char* call, const char* limit, const Circumstances& circumstances) {
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
    if (!circumstances.has_sys_admin) {
        return refused(error, call, "this process may not make one",
                       "CAP_SYS_ADMIN, or a user namespace");
    }
    return circumstances.has_seccomp_filter
               ? refused_by_filter(error, call)
               : refused(error, call, "a security module refuses it", "look at the kernel's log");
}

Ability proc_ability(int error, const Circumstances& circumstances) {
    constexpr const char* call = "mount proc";
    if (!circumstances.has_proc) {
        return refused(ENOENT, call, no_proc, mount_proc);
    }
    return ability(error, call, "parts of the present /proc are covered, as containers do it",
                   "start the container with an uncovered /proc (Docker: --security-opt "
                   "systempaths=unconfined)");
}

NamespaceAbilities all_refused(const Ability& why) {
    return {why, why, why, why, why, why, why, why};
}

}  // namespace

Ability refused(int error, std::string call, std::string cause, std::string remedy) {
    return {{error, std::system_category()}, std::move(call), std::move(cause), std::move(remedy)};
}

Ability user_namespace_ability(const Findings& findings, const Circumstances& circumstances) {
    // With nothing to unshare the kernel itself has nothing to refuse.
    if (findings.unshare_nothing != 0) {
        return refused_by_filter(findings.unshare_nothing, "unshare");
    }
    if (findings.user_namespace != 0) {
        return refused_to_make(findings, circumstances);
    }
    if (findings.mount_namespace == EPERM || findings.mount_namespace == EACCES) {
        return stripped(findings.mount_namespace, "unshare(CLONE_NEWNS)", findings, circumstances);
    }
    if (findings.filtered_mount <= 0 && (findings.mount == EPERM || findings.mount == EACCES)) {
        return stripped(findings.mount, "mount", findings, circumstances);
    }
    return findings.id_map > 0 ? unmapped(findings.id_map, circumstances) : Ability();
}

NamespaceAbilities namespace_abilities(const Findings& findings, const Ability& user_namespace,
                                       const Circumstances& circumstances) {
    if (findings.user_namespace != Findings::not_tried && !user_namespace) {
        return all_refused(user_namespace);
    }
    if (findings.unshare_nothing > 0) {
        return all_refused(refused_by_filter(findings.unshare_nothing, "unshare"));
    }
    const auto ability_of = [&](int error, const char* call, const char* limit) {
        return made(error, call, limit, circumstances);
    };
    NamespaceAbilities all{
        .mounts =
            ability_of(findings.mount_namespace, "unshare(CLONE_NEWNS)", "user.max_mnt_namespaces"),
        .processes =
            ability_of(findings.pid_namespace, "unshare(CLONE_NEWPID)", "user.max_pid_namespaces"),
        .network = ability_of(findings.network_namespace, "unshare(CLONE_NEWNET)",
                              "user.max_net_namespaces"),
        .host_name =
            ability_of(findings.host_name, "unshare(CLONE_NEWUTS)", "user.max_uts_namespaces"),
        .ipc = ability_of(findings.ipc, "unshare(CLONE_NEWIPC)", "user.max_ipc_namespaces"),
        .cgroup =
            ability_of(findings.cgroup, "unshare(CLONE_NEWCGROUP)", "user.max_cgroup_namespaces"),
        .time = ability_of(findings.time, "unshare(CLONE_NEWTIME)", "user.max_time_namespaces")};
    if (all.mounts) {
        all.mounts = mount_ability(findings, circumstances);
    }
    all.fresh_proc =
        all.processes ? proc_ability(findings.fresh_proc, circumstances) : all.processes;
    if (all.network) {
        all.network = ability(findings.loopback, "ioctl(SIOCSIFFLAGS, lo)",
                              "a security module takes away CAP_NET_ADMIN", "look at its log");
    }
    return all;
}

}  // namespace syncspawn::sandbox
