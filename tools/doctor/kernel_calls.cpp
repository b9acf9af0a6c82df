// Newer calls of the kernel that launches take, each tried in a child that is thrown away.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "barrier/linux/proc.hpp"
#include "groups.hpp"
#include "trial.hpp"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U  // Linux 6.3
#endif

namespace syncspawn::tools {
namespace {

int error_of(long result) { return result < 0 ? errno : 0; }

// With arguments that are none the kernel says `expected`: then it has the call.
int error_unless(int expected, long result) {
    const int error = error_of(result);
    return error == expected ? 0 : error == 0 ? EPROTO : error;
}

int try_clone3() { return error_unless(EINVAL, syscall(SYS_clone3, nullptr, 0)); }

int try_clone_into_cgroup() {
    struct {
        std::uint64_t flags, others[9], cgroup;
    } const arguments{0x200000000ULL /* CLONE_INTO_CGROUP */, {}, INT_MAX};
    return error_unless(EBADF, syscall(SYS_clone3, &arguments, sizeof arguments));
}

int try_pidfd() {
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        pause();
        _exit(0);
    }
    const long descriptor = child < 0 ? -1 : syscall(SYS_pidfd_open, child, 0);
    const int error =
        descriptor < 0 ? errno
                       : error_of(syscall(SYS_pidfd_send_signal, descriptor, SIGKILL, nullptr, 0));
    if (child > 0 && error != 0) {
        kill(static_cast<pid_t>(child), SIGKILL);
    }
    constexpr auto by_descriptor = static_cast<idtype_t>(3);  // P_PIDFD
    siginfo_t about{};
    const bool is_waited_for =
        error == 0 && waitid(by_descriptor, static_cast<id_t>(descriptor), &about, WEXITED) == 0;
    return error != 0 || is_waited_for ? error : errno;
}

// A file of no known format: ENOEXEC comes after all that may refuse it.
int try_executing_memory() {
    long file = syscall(SYS_memfd_create, "probe", MFD_CLOEXEC | MFD_EXEC);
    if (file < 0 && errno == EINVAL) {
        file = syscall(SYS_memfd_create, "probe", MFD_CLOEXEC);
    }
    if (file < 0) {
        return errno;
    }
    if (write(static_cast<int>(file), "\1\1\1\1", 4) != 4) {
        return errno;
    }
    const char* const none[]{nullptr};
    return error_unless(ENOEXEC, syscall(SYS_execveat, file, "", none, none, AT_EMPTY_PATH));
}

int try_close_range() { return error_of(syscall(SYS_close_range, ~0U, ~0U, 0)); }

int try_mount_setattr() {
    return error_unless(EINVAL, syscall(SYS_mount_setattr, -1, nullptr, ~0U, nullptr, 0));
}

int try_open_tree() { return error_unless(EINVAL, syscall(SYS_open_tree, -1, nullptr, ~0U)); }

int try_openat2() { return error_unless(EINVAL, syscall(SYS_openat2, -1, "", nullptr, 0)); }

struct Row {
    const char* name;
    const char* label;
    KnownCall call;
    int (*attempt)();
};
constexpr Row rows[]{
    {"kernel.clone3", "clone3", {"clone3", 5, 3}, try_clone3},
    {"kernel.clone_into_cgroup",
     "clone3 into a cgroup",
     {"clone3(CLONE_INTO_CGROUP)", 5, 7},
     try_clone_into_cgroup},
    {"kernel.pidfd", "pidfd", {"pidfd_open", 5, 4}, try_pidfd},
    {"kernel.memfd_exec", "programs in memory files", {"execveat", 3, 19}, try_executing_memory},
    {"kernel.close_range", "close_range", {"close_range", 5, 9}, try_close_range},
    {"kernel.mount_setattr", "mount_setattr", {"mount_setattr", 5, 12}, try_mount_setattr},
    {"kernel.open_tree", "open_tree", {"open_tree", 5, 2}, try_open_tree},
    {"kernel.openat2", "openat2", {"openat2", 5, 6}, try_openat2},
};

sandbox::Ability ability_of(const Row& row) {
    const Answer answer = tried_in_child(row.attempt);
    const bool is_an_older_kernels = answer.error == EINVAL || answer.error == E2BIG;
    if (is_an_older_kernels && row.attempt == try_clone_into_cgroup) {
        return judged(answer, row.call, "this kernel makes no process in another cgroup",
                      "Linux 5.7");
    }
    const bool is_off = detail::proc::number_in("/proc/sys/vm/memfd_noexec").value_or(0) == 2;
    if (answer.error == EACCES && is_off && row.attempt == try_executing_memory) {
        return judged(answer, row.call, "the sysctl vm.memfd_noexec is 2", "set it to 1 or 0");
    }
    return judged(answer, row.call);
}

}  // namespace

FindingGroup kernel_calls() {
    FindingGroup group{"kernel", "Kernel calls"};
    for (const Row& row : rows) {
        group.findings.push_back(finding_of(row.name, row.label, ability_of(row)));
    }
    return group;
}

}  // namespace syncspawn::tools
