#include "support/environment.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "support/environment_filters.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"

namespace syncspawn::testing {
namespace {

constexpr std::uint64_t bit(unsigned capability) { return std::uint64_t{1} << capability; }
constexpr std::uint64_t capabilities_of_docker =
    bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) | bit(CAP_MKNOD) |
    bit(CAP_NET_RAW) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) | bit(CAP_SETPCAP) |
    bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) | bit(CAP_AUDIT_WRITE);

void keep_capabilities(std::uint64_t kept) {
    for (unsigned one = 0; prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; ++one) {
        if ((kept & bit(one)) == 0) {
            expect(prctl(PR_CAPBSET_DROP, one, 0, 0, 0) == 0);
        }
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    expect(syscall(SYS_capget, &header, data) == 0);
    for (unsigned word = 0; word < _LINUX_CAPABILITY_U32S_3; ++word) {
        data[word].permitted &= static_cast<std::uint32_t>(kept >> (32 * word));
        data[word].effective = data[word].permitted;
        data[word].inheritable = 0;
    }
    expect(syscall(SYS_capset, &header, data) == 0);
}

void write_whole(const std::string& file, const std::string& text) {
    std::ofstream out(file);
    out << text << std::flush;
    expect(static_cast<bool>(out));
}

void make_user_namespace() {
    if (unshare(CLONE_NEWUSER) < 0) {
        leave_out_here(errno == EINVAL
                           ? "a thread of the sanitizer's keeps this process from user namespaces"
                           : "this machine forbids user namespaces");
    }
}

// All ids that there are here, as themselves.
std::string identity_map(const char* map) {
    std::istringstream lines(read_file(map));
    std::string identity;
    for (std::string inside, outside, count; lines >> inside >> outside >> count;) {
        identity.append(inside).append(" ").append(inside).append(" ").append(count).append("\n");
    }
    return identity;
}

// For root: who is in the namespace already may not map others into it, so a child outside does.
void enter_user_namespace_with_all_ids() {
    int is_made[2];
    expect(pipe2(is_made, O_CLOEXEC) == 0);
    const std::string self = "/proc/" + std::to_string(getpid());
    const pid_t writer = fork();
    if (writer == 0) {
        // Else it would wait for ever where the namespace is not to be had, and whoever reads this program's output, too.
        close(is_made[1]);
        char byte = 0;
        if (read(is_made[0], &byte, 1) != 1) {
            _exit(0);
        }
        for (const std::string map : {"/uid_map", "/gid_map"}) {
            write_whole(self + map, identity_map(("/proc/self" + map).c_str()));
        }
        _exit(0);
    }
    make_user_namespace();
    expect(write(is_made[1], "x", 1) == 1);
    int status = -1;
    expect(waitpid(writer, &status, 0) == writer && status == 0);
    close(is_made[0]);
    close(is_made[1]);
}

void enter_user_namespace_as(unsigned inside) {
    const std::string user = std::to_string(geteuid());
    const std::string group = std::to_string(getegid());
    make_user_namespace();
    write_whole("/proc/self/setgroups", "deny");
    write_whole("/proc/self/uid_map", std::to_string(inside) + " " + user + " 1");
    write_whole("/proc/self/gid_map", std::to_string(inside) + " " + group + " 1");
}

// Mounts that nobody else sees. An ordinary user has them by an outer user namespace, and no capabilities in it once
// `change` has returned.
template <class Change>
void with_own_mounts(Change change) {
    const uid_t user = geteuid();
    if (user != 0) {
        enter_user_namespace_as(user);
    }
    if (unshare(CLONE_NEWNS) < 0) {
        leave_out_here("this machine forbids mount namespaces");
    }
    make_mounts_private("/");
    change();
    if (user != 0) {
        keep_capabilities(0);
    }
}

void make_read_only(const std::string& mount_point) {
    struct statvfs about {};
    expect(statvfs(mount_point.c_str(), &about) == 0);
    constexpr unsigned long locked = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const unsigned long kept = about.f_flag & locked;
    expect(mount(nullptr, mount_point.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kept,
                 nullptr) == 0);
}

// An ordinary directory, in which the sysctl of Ubuntu is.
void cover_sysctls_of_the_kernel() {
    const std::string directory = "/proc/sys/kernel";
    std::string last_capability = read_file(directory + "/cap_last_cap");
    expect(mount("none", directory.c_str(), "tmpfs", 0, nullptr) == 0);
    write_whole(directory + "/cap_last_cap", last_capability);
    write_whole(directory + "/apparmor_restrict_unprivileged_userns", "1\n");
}

}  // namespace

void become_root_of_a_container() {
    if (geteuid() != 0) {
        enter_user_namespace_as(0);
    }
}

void root_without_capabilities(KeptCapabilities kept) {
    become_root_of_a_container();
    keep_capabilities(kept == KeptCapabilities::of_docker ? capabilities_of_docker : 0);
}

void docker_profile(KeptCapabilities kept) {
    become_root_of_a_container();
    docker_filter();
    root_without_capabilities(kept);
}

void stripped_user_namespaces() {
    with_own_mounts(cover_sysctls_of_the_kernel);
    become_ordinary_user();
    strip_user_namespaces();
}

void no_user_namespaces() {
    const uid_t user = geteuid();
    if (user == 0) {
        enter_user_namespace_with_all_ids();
    } else {
        enter_user_namespace_as(user);
    }
    // The sysctl is that of this user namespace.
    write_whole("/proc/sys/user/max_user_namespaces", "0");
    if (user != 0) {
        keep_capabilities(0);
    }
}

void covered_proc() {
    with_own_mounts([] {
        for (const char* masked : {"/proc/acpi", "/proc/scsi", "/proc/asound"}) {
            if (access(masked, F_OK) == 0) {
                expect(mount("none", masked, "tmpfs", MS_RDONLY, nullptr) == 0);
            }
        }
        for (const char* masked : {"/proc/kcore", "/proc/keys", "/proc/timer_list"}) {
            if (access(masked, F_OK) == 0) {
                expect(mount("/dev/null", masked, nullptr, MS_BIND, nullptr) == 0);
            }
        }
        for (const char* kept : {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}) {
            if (access(kept, F_OK) == 0) {
                expect(mount(kept, kept, nullptr, MS_BIND | MS_REC, nullptr) == 0);
                make_read_only(kept);
            }
        }
    });
}

void in_chroot() {
    with_own_mounts([] {
        // "/mnt" is out of the way in this mount namespace alone.
        expect(mount("none", "/mnt", "tmpfs", 0, "mode=755") == 0 && mkdir("/mnt/root", 0755) == 0);
        for (const auto& entry : std::filesystem::directory_iterator("/")) {
            const std::string place = "/mnt/root" + entry.path().string();
            if (entry.is_symlink()) {
                std::filesystem::copy_symlink(entry, place);
            } else if (entry.is_directory() && entry.path() != "/mnt") {
                expect(mkdir(place.c_str(), 0755) == 0);
                expect(mount(entry.path().c_str(), place.c_str(), nullptr, MS_BIND | MS_REC,
                             nullptr) == 0);
            }
        }
        expect(chroot("/mnt/root") == 0 && chdir("/") == 0);
    });
}

void no_proc() { with_own_mounts(cover_proc); }

void read_only_cgroups() {
    with_own_mounts([] {
        std::istringstream mounts(read_file("/proc/self/mounts"));
        for (std::string device, place, type, rest; mounts >> device >> place >> type;) {
            std::getline(mounts, rest);
            if (type == "cgroup" || type == "cgroup2") {
                make_read_only(place);
            }
        }
    });
}

}  // namespace syncspawn::testing
