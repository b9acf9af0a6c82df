#include "probe.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string_view>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080  // Linux 5.6
#endif

namespace syncspawn::sandbox {
namespace {

// From <linux/mount.h>, which does not go with <sys/mount.h>.
constexpr unsigned fsconfig_create = 6;
constexpr unsigned fsopen_cloexec = 1;
constexpr unsigned fsmount_cloexec = 1;

int error_of(long result) noexcept { return result < 0 ? errno : 0; }

int error_of_unshare(int flags) noexcept { return error_of(syscall(SYS_unshare, flags)); }

// A file system that is mounted nowhere. Gone when the process is.
int error_of_mounting(const char* type) noexcept {
    const long context = syscall(SYS_fsopen, type, fsopen_cloexec);
    if (context < 0) {
        return errno;
    }
    const long created = syscall(SYS_fsconfig, context, fsconfig_create, nullptr, nullptr, 0);
    return error_of(created < 0 ? created : syscall(SYS_fsmount, context, fsmount_cloexec, 0));
}

// Descriptors that are none: EBADF says that the kernel was asked.
int error_of_filtered_mount() noexcept {
    if (syscall(SYS_fsmount, -1, 0, 0) < 0 && errno != EBADF && errno != EPERM) {
        return errno;
    }
    return syscall(SYS_move_mount, -1, "x", -1, "x", 0) < 0 && errno == ENOSYS ? ENOSYS : 0;
}

int error_of_loopback() noexcept {
    const long control = syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::copy_n("lo", sizeof "lo", request.ifr_name);
    request.ifr_flags = IFF_UP;
    return error_of(control < 0 ? control
                                : ioctl(static_cast<int>(control), SIOCSIFFLAGS, &request));
}

// In a child, which is the first process of the new pid namespace.
int error_of_fresh_proc() noexcept {
    const long child = syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        _exit(error_of_mounting("proc"));
    }
    int status = 0;
    if (child < 0 || syscall(SYS_wait4, child, &status, __WALL, nullptr) < 0) {
        return errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

// AppArmor changes the profile when a user namespace is made.
bool is_in_profile_of_user_namespaces() noexcept {
    char profile[64];
    const int file = open("/proc/self/attr/current", O_RDONLY | O_CLOEXEC);
    const ssize_t size = file < 0 ? -1 : read(file, profile, sizeof profile);
    constexpr std::string_view name = "unprivileged_userns";
    return size > 0 && std::string_view(profile, static_cast<std::size_t>(size)).starts_with(name);
}

}  // namespace

void try_all(ProbeWay way, Findings& findings) noexcept {
    findings.unshare_nothing = error_of_unshare(0);
    findings.filtered_mount = error_of_filtered_mount();
    if (way == ProbeWay::in_user_namespace) {
        findings.user_namespace = error_of_unshare(CLONE_NEWUSER);
        findings.is_in_apparmor_profile = is_in_profile_of_user_namespaces() ? 1 : 0;
        if (findings.user_namespace != 0) {
            return;
        }
    }
    findings.mount_namespace = error_of_unshare(CLONE_NEWNS);
    findings.mount = findings.mount_namespace != 0 ? findings.mount : error_of_mounting("tmpfs");
    findings.network_namespace = error_of_unshare(CLONE_NEWNET);
    findings.loopback = findings.network_namespace != 0 ? findings.loopback : error_of_loopback();
    findings.host_name = error_of_unshare(CLONE_NEWUTS);
    findings.ipc = error_of_unshare(CLONE_NEWIPC);
    findings.cgroup = error_of_unshare(CLONE_NEWCGROUP);
    findings.time = error_of_unshare(CLONE_NEWTIME);
    findings.pid_namespace = error_of_unshare(CLONE_NEWPID);
    findings.fresh_proc = findings.pid_namespace != 0 ? findings.fresh_proc : error_of_fresh_proc();
}

}  // namespace syncspawn::sandbox
