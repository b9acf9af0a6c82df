#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "barrier/linux/proc.hpp"
#include "causes.hpp"

namespace syncspawn::sandbox {
namespace {

namespace proc = detail::proc;

// Root of the process and of its mount namespace differ: the kernel then refuses a user namespace (EPERM). Only some
// users may look at the first process; others see that the root is no mount point (Linux 5.8).
bool is_in_chroot() noexcept {
    struct statx own {};
    struct statx first {};
    if (statx(AT_FDCWD, "/", 0, STATX_INO, &own) < 0) {
        return false;
    }
    if ((own.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
        (own.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) {
        return true;
    }
    return statx(AT_FDCWD, "/proc/1/root", 0, STATX_INO, &first) == 0 &&
           (own.stx_ino != first.stx_ino || own.stx_dev_minor != first.stx_dev_minor ||
            own.stx_dev_major != first.stx_dev_major);
}

// "docker-default (enforce)". Other security modules have names without a mode there.
std::string apparmor_profile() {
    std::string name;
    std::ifstream file("/proc/thread-self/attr/current");
    std::getline(file, name);
    const std::size_t mode = name.find(" (");
    return mode == std::string::npos ? "" : name.substr(0, mode);
}

// In its user namespace.
bool has_capability(unsigned capability) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1U << capability)) != 0;
}

}  // namespace

Circumstances Circumstances::of_this_thread() {
    return {.most_user_namespaces = proc::number_in("/proc/sys/user/max_user_namespaces"),
            .unprivileged_clone = proc::number_in("/proc/sys/kernel/unprivileged_userns_clone"),
            .apparmor_restriction =
                proc::number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            .apparmor_profile = sandbox::apparmor_profile(),
            .has_seccomp_filter = prctl(PR_GET_SECCOMP) == 2,
            .has_sys_admin = has_capability(CAP_SYS_ADMIN),
            .is_in_chroot = sandbox::is_in_chroot(),
            .has_proc = proc::is_of_this_pid_namespace(),
            .may_map_itself = geteuid() != 0 || has_capability(CAP_SETFCAP),
            .is_dumpable = prctl(PR_GET_DUMPABLE) == 1};
}

}  // namespace syncspawn::sandbox
