#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "barrier/fresh_descriptor.hpp"
#include "birth.hpp"
#include "post_fork.hpp"
#include "start_child.hpp"

namespace syncspawn::detail {
namespace {

UniqueFd open_pidfd(pid_t pid) noexcept {
    return UniqueFd(
        core::above_standard_streams(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
}

// glibc's fork resets its own locks in the child, which a bare clone does not: parts that are not
// async-signal-safe would meet a malloc that another thread has locked for ever.
pid_t fork_with_pidfd(StartedChild& child) noexcept {
    child.call = "fork";
    const pid_t pid = fork();
    if (pid > 0) {
        child.pidfd = open_pidfd(pid);
    }
    return pid;
}

// Namespaces at birth need clone3 (Linux 5.3; with a cgroup 5.7), or the older clone where that is
// refused: by the kernel, by a seccomp filter, or by valgrind. Then the child joins the cgroup itself.
pid_t clone_with_pidfd(Plan& plan, StartedChild& child) noexcept {
    const std::uint64_t namespaces = plan.namespaces;
    int pidfd = -1;
    clone_args arguments = birth_of(plan, pidfd);
    child.call = "clone3";
    auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid < 0 && (errno == ENOSYS || errno == EPERM || errno == E2BIG)) {
        child.call = "clone";
        plan.joins_cgroup = plan.cgroup >= 0;
        pid = static_cast<pid_t>(
            syscall(SYS_clone, namespaces | CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0));
    }
    if (pid < 0 && errno == EINVAL) {  // CLONE_PIDFD: Linux 5.2
        plan.joins_cgroup = plan.cgroup >= 0;
        pid = static_cast<pid_t>(syscall(SYS_clone, namespaces | SIGCHLD, 0, nullptr, 0, 0));
        pidfd = -1;
    }
    if (pid > 0) {
        child.pidfd = pidfd >= 0 ? UniqueFd(core::above_standard_streams(pidfd)) : open_pidfd(pid);
    }
    return pid;
}

}  // namespace

StartedChild start_with_copied_memory(Plan& plan) noexcept {
    StartedChild child;
    plan.handlers_are_default = false;
    plan.joins_cgroup = plan.cgroup >= 0;
    child.pid = plan.namespaces == 0 ? fork_with_pidfd(child) : clone_with_pidfd(plan, child);
    if (child.pid == 0) {
        run_child(plan);
    }
    if (child.pid < 0) {
        child.error = errno;
    }
    return child;
}

}  // namespace syncspawn::detail
