#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "barrier/linux/newer_calls.hpp"
#include "birth.hpp"
#include "launcher/child/post_fork.hpp"
#include "start_child.hpp"

namespace syncspawn::detail {
namespace {

// Before Linux 5.3, or where a filter forbids it, the launch goes on without. So it does where the child
// has ended already and SIGCHLD is ignored, so that nothing is left of it (ESRCH).
void open_pidfd(StartedChild& child) noexcept {
    const auto fd = static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0));
    if (fd >= 0 || (errno != ESRCH && !is_not_here(NewerCall::pidfd_open, errno))) {
        take_pidfd(child, fd, "pidfd_open");
    }
}

// glibc's fork resets its own locks in the child, which a bare clone does not: parts that are not
// async-signal-safe would meet a malloc that another thread has locked for ever.
void fork_with_pidfd(StartedChild& child) noexcept {
    child.call = "fork";
    child.pid = fork();
    if (child.pid > 0) {
        open_pidfd(child);
    }
}

// Namespaces at birth need clone3 (Linux 5.3; with a cgroup 5.7), or the older clone where that is
// refused: by the kernel, by a seccomp filter, or by valgrind. Then the child joins the cgroup itself.
void clone_with_pidfd(const BirthPlan& plan, Arrival& arrival, StartedChild& child) noexcept {
    const std::uint64_t namespaces = plan.namespaces;
    int pidfd = -1;
    clone_args arguments = birth_of(plan, pidfd);
    arrival.joins_cgroup = false;
    child.call = "clone3";
    child.kind = call_of(plan);
    child.pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child.pid < 0 && is_not_here(NewerCall::clone3, errno)) {
        child.call = "clone";
        child.kind = KnownCall::birth;
        arrival.joins_cgroup = plan.cgroup >= 0;
        child.pid = static_cast<pid_t>(
            syscall(SYS_clone, namespaces | CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0));
        if (child.pid < 0 && is_not_here(NewerCall::clone_pidfd, errno)) {
            child.pid =
                static_cast<pid_t>(syscall(SYS_clone, namespaces | SIGCHLD, 0, nullptr, 0, 0));
            pidfd = -1;
        }
    }
    if (child.pid > 0) {
        pidfd >= 0 ? take_pidfd(child, pidfd, "clone") : open_pidfd(child);
    }
}

}  // namespace

StartedChild start_with_copied_memory(const Plan& plan) noexcept {
    StartedChild child;
    const BirthPlan& birth = plan.birth;
    Arrival arrival{.joins_cgroup = birth.cgroup >= 0,
                    .shares_memory = false,
                    .is_alone = false,
                    .word = nullptr};
    // Joining a cgroup takes milliseconds, being born there nothing.
    if (birth.namespaces == 0 && (birth.cgroup < 0 || !plan.order.may_be_cloned)) {
        fork_with_pidfd(child);
    } else {
        clone_with_pidfd(birth, arrival, child);
    }
    if (child.pid == 0) {
        run_child(plan, arrival);
    }
    if (child.pid < 0 && child.error == 0) {
        child.error = errno;
    }
    return child;
}

}  // namespace syncspawn::detail
