// What tests/support/environment.hpp makes is as it says: by the bare system calls.

#include <doctest/doctest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <string>

#include "launcher/sandbox/landlock/kernel.hpp"
#include "support/as_everybody.hpp"
#include "support/environment.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"
#include "support/sanitizers.hpp"

using namespace syncspawn::testing;

namespace {

void expect_error(long result, int error, int line = __builtin_LINE()) {
    expect_same(result < 0 ? errno : 0, error, line);
}

int error_of_fresh_proc() {
    const long context = syscall(SYS_fsopen, "proc", 0);
    if (context < 0 || syscall(SYS_fsconfig, context, 6, nullptr, nullptr, 0) < 0) {
        return errno;
    }
    return syscall(SYS_fsmount, context, 0, 0) < 0 ? errno : 0;
}

// A user namespace, and others with it.
void enter_new(int namespaces) {
    if (unshare(namespaces) < 0) {
        const int error = errno;
        if (error == EINVAL && is_sanitized) {
            leave_out_here("a thread of the sanitizer's keeps this process from user namespaces");
        }
        expect_same(error, 0);
    }
}

// In a child, the first process of a new pid namespace.
int error_of_fresh_proc_in_user_namespace() {
    enter_new(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
    const pid_t child = fork();
    if (child == 0) {
        _exit(error_of_fresh_proc());
    }
    int status = 0;
    expect(waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
}

long landlock_version() {
    return syscall(SYS_landlock_create_ruleset, nullptr, 0,
                   syncspawn::sandbox::kernel::ask_for_version);
}

}  // namespace

TEST_CASE("a container's root lacks CAP_SYS_ADMIN, and can make a user namespace") {
    as_everybody([] {
        root_without_capabilities();
        expect(geteuid() == 0);
        expect(value_in("/proc/self/status", "CapEff") == "00000000a80425fb");
        expect(value_in("/proc/self/status", "CapBnd") == "00000000a80425fb");
        expect_error(unshare(CLONE_NEWNS), EPERM);
        enter_new(CLONE_NEWUSER | CLONE_NEWNS);
    });
    as_everybody([] {
        root_without_capabilities(KeptCapabilities::none);
        expect(value_in("/proc/self/status", "CapBnd") == "0000000000000000");
        enter_new(CLONE_NEWUSER);
    });
}

TEST_CASE("Docker's profile refuses namespaces, mounts and keys, and hides clone3") {
    as_everybody([] {
        docker_profile();
        expect_error(unshare(0), EPERM);
        expect_error(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
        expect_error(syscall(SYS_clone3, nullptr, 0), ENOSYS);
        expect_error(mount("none", "/", "tmpfs", 0, nullptr), EPERM);
        expect_error(syscall(SYS_fsopen, "tmpfs", 0), EPERM);
        expect_error(syscall(SYS_keyctl, 0, 0, 0), EPERM);
        const pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        expect(waitpid(child, nullptr, 0) == child);
    });
}

TEST_CASE("stripped user namespaces can be made, and are good for nothing") {
    as_everybody([] {
        stripped_user_namespaces();
        expect(geteuid() != 0);
        expect(read_file("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1\n");
        expect_error(unshare(0), 0);
        enter_new(CLONE_NEWUSER | CLONE_NEWNET);
        expect_error(unshare(CLONE_NEWNS), EPERM);
        expect_error(mount("none", "/", "tmpfs", 0, nullptr), EPERM);
        expect_error(sethostname("x", 1), EPERM);
        const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ifreq request{};
        request.ifr_name[0] = 'l';
        request.ifr_name[1] = 'o';
        expect_error(ioctl(control, SIOCGIFFLAGS, &request), 0);
        expect_error(ioctl(control, SIOCSIFFLAGS, &request), EPERM);
    });
}

TEST_CASE("no user namespace is allowed") {
    as_everybody([] {
        no_user_namespaces();
        expect_error(unshare(CLONE_NEWUSER), ENOSPC);
    });
}

TEST_CASE("a fresh proc is refused where the present one is covered") {
    as_everybody([] {
        covered_proc();
        expect(access("/proc/self/status", R_OK) == 0);
        expect(access("/proc/sys/kernel/hostname", W_OK) < 0);
        become_ordinary_user();
        expect_same(error_of_fresh_proc_in_user_namespace(), EPERM);
    });
    as_everybody([] {
        become_ordinary_user();
        expect_same(error_of_fresh_proc_in_user_namespace(), 0);
    });
}

TEST_CASE("there is no proc") {
    as_everybody([] {
        no_proc();
        expect_error(access("/proc/self", F_OK), ENOENT);
    });
}

TEST_CASE("no cgroup can be made") {
    as_everybody([] {
        read_only_cgroups();
        std::istringstream mounts(read_file("/proc/self/mounts"));
        for (std::string device, place, type, rest; mounts >> device >> place >> type;) {
            std::getline(mounts, rest);
            if (type.starts_with("cgroup")) {
                struct statvfs about {};
                expect(statvfs(place.c_str(), &about) == 0 && (about.f_flag & ST_RDONLY) != 0);
            }
        }
    });
}

TEST_CASE("there is no Landlock, or an old one") {
    if (landlock_version() < 7) {
        SKIP_TEST("this kernel's Landlock is older than version 7");
    }
    as_everybody([] {
        without_landlock(NoLandlock::not_enabled);
        expect_error(landlock_version(), EOPNOTSUPP);
        without_landlock();
        expect_error(landlock_version(), ENOSYS);
    });
    as_everybody([] {
        namespace kernel = syncspawn::sandbox::kernel;
        old_landlock(4);
        expect_same(landlock_version(), 4);
        const kernel::Ruleset known{.files = kernel::truncate, .network = kernel::bind_tcp};
        const kernel::Ruleset right_too_new{.files = kernel::ioctl_device};
        const kernel::Ruleset size_too_new{.files = 1, .scoped = kernel::scope_signals};
        expect(syscall(SYS_landlock_create_ruleset, &known, sizeof known, 0) >= 0);
        expect_error(syscall(SYS_landlock_create_ruleset, &right_too_new, sizeof known, 0), EINVAL);
        expect_error(syscall(SYS_landlock_create_ruleset, &size_too_new, sizeof known, 0), E2BIG);
    });
}
