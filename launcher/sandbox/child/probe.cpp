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
#include <array>
#include <csignal>
#include <string_view>

#include "barrier/linux/bounded_text.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080  // Linux 5.6
#endif

namespace syncspawn::sandbox {
namespace {

// From <linux/mount.h>, which does not go with <sys/mount.h>.
constexpr unsigned fsconfig_create = 6;
constexpr unsigned fsopen_cloexec = 1;
constexpr unsigned fsmount_cloexec = 1;
constexpr unsigned from_empty_path = 4;
constexpr unsigned long recursive_private = 1UL << 14 | 1UL << 18;  // MS_REC, MS_PRIVATE

int error_of(long result) noexcept { return result < 0 ? errno : 0; }

int error_of_unshare(int flags) noexcept { return error_of(syscall(SYS_unshare, flags)); }

// A new file system that is mounted nowhere. Gone when the process is.
int mounted_nowhere(const char* type) noexcept {
    const long context = syscall(SYS_fsopen, type, fsopen_cloexec);
    const bool is_created =
        context >= 0 && syscall(SYS_fsconfig, context, fsconfig_create, nullptr, nullptr, 0) == 0;
    return is_created ? static_cast<int>(syscall(SYS_fsmount, context, fsmount_cloexec, 0)) : -1;
}

// On top of everything, by the call that the child takes where the newer ones are missing: only in a mount namespace of
// this process's own, out of which nothing comes.
int error_of_older_mounting(const char* type) noexcept {
    const long alone = syscall(SYS_mount, nullptr, "/", nullptr, recursive_private, nullptr);
    return error_of(alone < 0 ? alone : syscall(SYS_mount, "none", "/", type, 0, nullptr));
}

bool is_refused(int error) noexcept { return error == ENOSYS || error == EPERM; }

int error_of_mounting(const char* type, const Findings& findings) noexcept {
    const int error = error_of(mounted_nowhere(type));
    const bool has_own_mounts = findings.mount_namespace == 0;
    return is_refused(error) && has_own_mounts ? error_of_older_mounting(type) : error;
}

// Flags that do not go together: the kernel says EINVAL before it looks at anything else.
int error_of_filtered_user_namespace() noexcept {
    constexpr int no_flag = 1;
    if (syscall(SYS_unshare, CLONE_NEWUSER | no_flag) < 0 && errno != EINVAL) {
        return errno;
    }
    const long child =
        syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS, nullptr, nullptr, nullptr, nullptr);
    return child < 0 && errno != EINVAL ? errno : 0;
}

// A call with arguments that are none, and how the kernel says so.
struct Harmless {
    const char* name;
    long number;
    int answer;
    bool takes_capability;  // and says EPERM to who lacks it
    bool has_older_way;     // so that the child does without, where it is missing or refused
};
constexpr std::array<Harmless, 8> harmless{{
    {"mount", SYS_mount, EFAULT, false, false},
    {"umount2", SYS_umount2, EFAULT, true, false},
    {"mount_setattr", SYS_mount_setattr, EINVAL, false, true},
    {"openat2", SYS_openat2, EINVAL, false, true},
    {"pivot_root", SYS_pivot_root, EFAULT, true, false},
    {"move_mount", SYS_move_mount, EFAULT, true, true},
    {"open_tree", SYS_open_tree, EFAULT, true, true},
    {"fsopen", SYS_fsopen, EFAULT, true, true},
}};

int error_of(const Harmless& call) noexcept {
    // Of open_tree these are the flags.
    const unsigned flags = call.number == SYS_open_tree ? 1 : 0;
    const bool begins_with_descriptor =
        call.number == SYS_mount_setattr || call.number == SYS_openat2 ||
        call.number == SYS_move_mount || call.number == SYS_open_tree;
    return error_of(begins_with_descriptor
                        ? syscall(call.number, -1, nullptr, flags, nullptr, 0)
                        : syscall(call.number, nullptr, nullptr, nullptr, nullptr, nullptr));
}

// In a mount namespace of its own. EPERM may be the kernel's own word, unless the capability counts elsewhere.
void find_filtered_mount(Findings& findings) noexcept {
    const bool counts = std::any_of(harmless.begin(), harmless.end(), [](const auto& one) {
        return one.takes_capability && error_of(one) == one.answer;
    });
    findings.filtered_mount = 0;
    for (const Harmless& one : harmless) {
        const int error = error_of(one);
        if (error == one.answer || (error == EPERM && one.takes_capability && !counts) ||
            (is_refused(error) && one.has_older_way)) {
            continue;
        }
        findings.filtered_mount = error;
        findings.filtered_call = one.name;
        return;
    }
}

int error_of_writing(const char* path, const char* text) noexcept {
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    const bool is_written =
        file >= 0 && write(file, text, std::char_traits<char>::length(text)) >= 0;
    return is_written ? 0 : errno;
}

// Of the caller's own id, as itself.
int error_of_id_map(unsigned user) noexcept {
    char text[40];
    detail::BoundedText(text) << user << " " << user << " 1";
    return error_of_writing("/proc/self/uid_map", text);
}

// All that the child does with mounts, once: a new root. The last try of all, for nothing of the old one is left.
int error_of_layout(const char*& call) noexcept {
    call = "mount(MS_PRIVATE)";
    if (syscall(SYS_mount, nullptr, "/", nullptr, recursive_private, nullptr) < 0) {
        return errno;
    }
    int root = mounted_nowhere("tmpfs");
    call = "move_mount";
    if (root < 0 || syscall(SYS_move_mount, root, "", AT_FDCWD, "/", from_empty_path) < 0) {
        call = "mount";
        const int error = is_refused(errno) ? error_of_older_mounting("tmpfs") : errno;
        if (error != 0) {
            return error;
        }
        root = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC);  // what lies on top of the root
    }
    call = "pivot_root";
    // Of an initial file system the root cannot be moved: EINVAL.
    return syscall(SYS_fchdir, root) == 0 && (syscall(SYS_pivot_root, ".", ".") == 0 ||
                                              (errno == EINVAL && syscall(SYS_chroot, ".") == 0))
               ? 0
               : errno;
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
int error_of_fresh_proc(const Findings& findings) noexcept {
    const long child = syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        _exit(error_of_mounting("proc", findings));
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
    const auto user = static_cast<unsigned>(syscall(SYS_geteuid));
    findings.unshare_nothing = error_of_unshare(0);
    findings.filtered_user_namespace = error_of_filtered_user_namespace();
    if (way == ProbeWay::in_user_namespace) {
        findings.user_namespace = error_of_unshare(CLONE_NEWUSER);
        findings.is_in_apparmor_profile = is_in_profile_of_user_namespaces() ? 1 : 0;
        if (findings.user_namespace != 0) {
            return;
        }
        findings.id_map = error_of_id_map(user);
    }
    findings.mount_namespace = error_of_unshare(CLONE_NEWNS);
    if (findings.mount_namespace == 0) {
        find_filtered_mount(findings);
        findings.mount = error_of_mounting("tmpfs", findings);
    }
    findings.network_namespace = error_of_unshare(CLONE_NEWNET);
    findings.loopback = findings.network_namespace != 0 ? findings.loopback : error_of_loopback();
    findings.host_name = error_of_unshare(CLONE_NEWUTS);
    findings.ipc = error_of_unshare(CLONE_NEWIPC);
    findings.cgroup = error_of_unshare(CLONE_NEWCGROUP);
    findings.time = error_of_unshare(CLONE_NEWTIME);
    findings.pid_namespace = error_of_unshare(CLONE_NEWPID);
    findings.fresh_proc =
        findings.pid_namespace != 0 ? findings.fresh_proc : error_of_fresh_proc(findings);
    if (findings.mount == 0) {
        findings.layout = error_of_layout(findings.layout_call);
    }
}

}  // namespace syncspawn::sandbox
