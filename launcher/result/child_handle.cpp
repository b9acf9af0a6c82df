#include "child_handle.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "barrier/linux/newer_calls.hpp"
#include "stopping.hpp"

#ifndef P_PIDFD
#define P_PIDFD static_cast<idtype_t>(3)
#endif

namespace syncspawn::detail {
namespace {

ExitStatus to_status(const siginfo_t& info) noexcept {
    if (info.si_code == CLD_EXITED) {
        return ExitStatus::exited(info.si_status);
    }
    return ExitStatus::killed(info.si_status, info.si_code == CLD_DUMPED);
}

// 0, or the errno.
int wait_id(const ChildHandle& child, siginfo_t& info, int options) noexcept {
    for (;;) {
        info.si_pid = 0;
        int result = -1;
        if (child.pidfd() >= 0) {
            result = waitid(P_PIDFD, static_cast<id_t>(child.pidfd()), &info, options);
        }
        if (child.pidfd() < 0 || (result < 0 && is_not_here(NewerCall::waitid_pidfd, errno))) {
            result = waitid(P_PID, static_cast<id_t>(child.pid()), &info, options);
        }
        if (result == 0 || errno != EINTR) {
            return result == 0 ? 0 : errno;
        }
    }
}

}  // namespace

bool ChildHandle::wait_for_end(const Deadline* deadline) const {
    if (status_) {
        return true;
    }
    if (pidfd_) {
        const int ready = wait_for_any(readable(pidfd_.get()), deadline);
        if (ready != wait_failed) {
            return ready == 0;
        }
    }
    // Without pidfds (before Linux 5.3), or where ppoll is refused, there is nothing to wait on with a
    // deadline.
    constexpr timespec pause{0, std::chrono::nanoseconds(look_every).count()};
    for (;;) {
        siginfo_t info{};
        const int flags = WEXITED | WNOWAIT | (deadline != nullptr ? WNOHANG : 0);
        if (wait_id(*this, info, flags) != 0 || info.si_pid != 0) {
            return true;
        }
        if (deadline != nullptr && std::chrono::steady_clock::now() >= *deadline) {
            return false;
        }
        nanosleep(&pause, nullptr);
    }
}

ExitStatus ChildHandle::reap() {
    if (!status_) {
        siginfo_t info{};
        // ECHILD: SIGCHLD is ignored, or somebody else was faster.
        status_ = wait_id(*this, info, WEXITED) == 0 ? to_status(info) : ExitStatus::unknown();
    }
    return *status_;
}

int ChildHandle::send(int signal) const noexcept {
    if (status_) {
        return 0;
    }
    if (pidfd_ && syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0) {
        return 0;
    }
    // Where a filter refuses it, or the program is another user's now: kill(2) tells them apart.
    const bool is_by_pid = !pidfd_ || is_not_here(NewerCall::pidfd_send_signal, errno);
    if (is_by_pid && ::kill(pid_, signal) == 0) {
        return 0;
    }
    return errno == ESRCH ? 0 : errno;
}

int ChildHandle::send_to_scope(int signal) const noexcept {
    if (reach_.send_beside(pid_, signal)) {
        return 0;
    }
    // The group exists as long as its leader is not reaped; before the child has made it, only the
    // child itself is there.
    const bool has_group =
        reach_.scope() == KillScope::process_group || reach_.scope() == KillScope::session;
    if (has_group && !status_ && getpgid(pid_) == pid_ && ::kill(-pid_, signal) == 0) {
        return send(0);  // it has it, unless it alone may not be signalled
    }
    return send(signal);
}

int ChildHandle::stop(std::span<const StopAction> actions) {
    Stopping stopping(actions);
    while (!stopping.advance(*this)) {
        wait_for_end(stopping.deadline() ? &*stopping.deadline() : nullptr);
    }
    if (stopping.has_ended()) {
        reap();
    }
    return stopping.has_ended() ? 0 : stopping.error();
}

}  // namespace syncspawn::detail
