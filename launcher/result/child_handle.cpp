#include "child_handle.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>

#include "barrier/linux/newer_calls.hpp"
#include "barrier/linux/wait_by_pid.hpp"
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

// What wait(2) told a reaper. None: it never came to tell, or that is no end.
std::optional<ExitStatus> told_status(int pipe) noexcept {
    int status = 0;
    if (read(pipe, &status, sizeof status) != sizeof status) {
        return std::nullopt;
    }
    if (WIFEXITED(status)) {
        return ExitStatus::exited(WEXITSTATUS(status));
    }
    return WIFSIGNALED(status)
               ? std::optional(ExitStatus::killed(WTERMSIG(status), WCOREDUMP(status)))
               : std::nullopt;
}

std::chrono::nanoseconds to_duration(const timeval& time) noexcept {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

ResourceUsage to_usage(const rusage& used) noexcept {
    const auto count = [](long number) { return static_cast<std::uint64_t>(number); };
    return {.user_time = to_duration(used.ru_utime),
            .system_time = to_duration(used.ru_stime),
            .max_resident_bytes = count(used.ru_maxrss) * 1024,
            .minor_faults = count(used.ru_minflt),
            .major_faults = count(used.ru_majflt),
            .voluntary_switches = count(used.ru_nvcsw),
            .involuntary_switches = count(used.ru_nivcsw)};
}

// 0, or the errno.
int wait_on(const ChildHandle& child, siginfo_t& info, int options, rusage& used) noexcept {
    for (;;) {
        info.si_pid = 0;
        int result = -1;
        if (child.pidfd() >= 0) {
            result = wait_id(P_PIDFD, child.pidfd(), info, options | __WALL, &used);
        }
        if (child.pidfd() < 0 || (result < 0 && is_not_here(NewerCall::waitid_pidfd, errno))) {
            result = wait_by_pid(child.pid(), info, options, &used);
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
        rusage unused{};
        const int flags = WEXITED | WNOWAIT | (deadline != nullptr ? WNOHANG : 0);
        if (wait_on(*this, info, flags, unused) != 0 || info.si_pid != 0) {
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
        rusage used{};
        // ECHILD: SIGCHLD is ignored, or somebody else was faster.
        const bool is_reaped = wait_on(*this, info, WEXITED, used) == 0;
        const auto told = has_reaper() ? told_status(status_pipe_.get()) : std::nullopt;
        status_ = told.value_or(is_reaped ? to_status(info) : ExitStatus::unknown());
        if (is_reaped) {
            usage_ = to_usage(used);
        }
    }
    return *status_;
}

int ChildHandle::send(int signal) const noexcept {
    if (status_) {
        return 0;
    }
    // SIGKILL ends the reaper, and by that all.
    const bool is_order = has_reaper() && signal != 0 && signal != SIGKILL;
    return is_order ? send_through_reaper({Whom::program, signal}) : send_to_child(signal);
}

int ChildHandle::send_through_reaper(Order order) const noexcept {
    siginfo_t info{};
    info.si_signo = carrier_of_orders;
    info.si_code = SI_QUEUE;
    info.si_pid = own_pid();
    info.si_uid = getuid();
    info.si_value.sival_int = value_of(order);
    if (pidfd_ && syscall(SYS_pidfd_send_signal, pidfd_.get(), info.si_signo, &info, 0) == 0) {
        return 0;
    }
    const bool is_by_pid = !pidfd_ || is_not_here(NewerCall::pidfd_send_signal, errno);
    if (is_by_pid && syscall(SYS_rt_sigqueueinfo, pid_, info.si_signo, &info) == 0) {
        return 0;
    }
    // The program may have filled the queue of its user. A plain signal needs none, and the reaper passes it on. (From here
    // SIGSTOP would stop the reaper itself.)
    if (errno == EAGAIN && order.signal != SIGSTOP) {
        const bool is_sent = order.whom == Whom::group && send_to_group(order.signal);
        return is_sent ? 0 : send_to_child(order.signal);
    }
    return errno == ESRCH ? 0 : errno;
}

int ChildHandle::send_to_child(int signal) const noexcept {
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

// To the group that the child leads; before it has made that, only the child itself is there.
bool ChildHandle::send_to_group(int signal) const noexcept {
    constexpr unsigned to_its_group = 1U << 2;  // PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9
    // The pidfd knows the group even if somebody else has reaped the child: others may be left in it.
    if (pidfd_ &&
        syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, to_its_group) == 0) {
        return true;
    }
    if (pidfd_ && !is_not_here(NewerCall::pidfd_send_signal, errno)) {
        return false;
    }
    // A number is that of this group alone only while the leader is not reaped.
    return getpgid(pid_) == pid_ && ::kill(-pid_, signal) == 0;
}

int ChildHandle::send_to_scope(int signal) const noexcept {
    const KillReach::Reached reached = reach_.send_beside(pid_, signal);
    if (reached == KillReach::Reached::all ||
        (reached == KillReach::Reached::others && has_reaper())) {  // the program is one of them
        return 0;
    }
    const bool has_group =
        reach_.scope() == KillScope::process_group || reach_.scope() == KillScope::session;
    if (has_group && !status_ && has_reaper() && signal != SIGKILL) {
        return send_through_reaper({Whom::group, signal});
    }
    if (has_group && !status_ && send_to_group(signal)) {
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
