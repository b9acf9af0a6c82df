#pragma once

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/async_result.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/process.hpp>

// The tasks (see Polling) of async_wait_exit: one for a Process of ours, one for a process of Boost.

namespace syncspawn::for_boost::detail {

template <class Executor>
class ExitTaskBase {
public:
    explicit ExitTaskBase(std::optional<Deadline> deadline) : deadline_(deadline) {}

    template <class Self>
    void expects(Self& self) {
        self.reset_cancellation_state(asio::enable_total_cancellation());
    }
    static std::shared_ptr<typename Waiter<Executor>::Registry> registry() { return nullptr; }
    static bool is_cancelled() { return false; }
    static bool cancel() { return true; }

protected:
    [[noreturn]] static void fail(int error, const char* what) {
        throw boost::system::system_error(error, boost::system::system_category(), what);
    }
    void check_deadline() const {
        if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) {
            throw boost::system::system_error(asio::error::timed_out);
        }
    }
    void watch_pidfd(Waiter<Executor>& waiter, int pidfd) {
        if (!is_armed_) {
            is_armed_ = true;
            waiter.watch(pidfd, EPOLLIN);
            waiter.watch(deadline_);
        }
    }

private:
    std::optional<Deadline> deadline_;
    bool is_armed_ = false;
};

template <class Executor>
class ExitTask : public ExitTaskBase<Executor> {
public:
    ExitTask(Process& process, std::optional<Deadline> deadline)
        : ExitTaskBase<Executor>(deadline), process_(&process) {}

    bool looks_done() {
        if (!*process_) {
            throw boost::system::system_error(asio::error::bad_descriptor);
        }
        status_ = process_->try_wait();
        if (!status_) {
            this->check_deadline();
        }
        return status_.has_value();
    }
    void watch(Waiter<Executor>& waiter) {
        if (process_->pidfd() < 0) {
            this->fail(ENOSYS, "pidfd_open");  // before Linux 5.3
        }
        this->watch_pidfd(waiter, process_->pidfd());
    }
    template <class Self>
    void complete(Self& self, error_code error) {
        self.complete(error, status_.value_or(ExitStatus::unknown()));
    }

private:
    Process* process_;
    std::optional<ExitStatus> status_;
};

// Uses a pidfd of its own: that of the process object belongs to Boost's own waits.
template <class Executor>
class ForeignExitTask : public ExitTaskBase<Executor> {
public:
    using ForeignProcess = v2::basic_process<Executor>;
    ForeignExitTask(ForeignProcess& process, std::optional<Deadline> deadline)
        : ExitTaskBase<Executor>(deadline), process_(&process) {}

    bool looks_done() {
        if (!v2::process_is_running(process_->native_exit_code())) {
            return true;
        }
        if (process_->id() <= 0) {
            throw boost::system::system_error(asio::error::bad_descriptor);
        }
        if (!pidfd_) {
            pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, process_->id(), 0)));
            if (!pidfd_) {
                this->fail(errno == ESRCH ? ECHILD : errno, "pidfd_open");
            }
        }
        // Looks only; the process object itself reaps, and so keeps the status for all who ask it.
        siginfo_t info{};
        constexpr auto by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD, Linux 5.4
        if (waitid(by_pidfd, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG | WNOWAIT) <
            0) {
            this->fail(errno, "waitid");
        }
        if (info.si_pid == 0) {
            this->check_deadline();
            return false;
        }
        error_code error;
        (void)process_->running(error);
        if (error) {
            throw boost::system::system_error(error, "waitpid");
        }
        return true;
    }
    void watch(Waiter<Executor>& waiter) { this->watch_pidfd(waiter, pidfd_.get()); }
    template <class Self>
    void complete(Self& self, error_code error) {
        const int code = error ? -1 : process_->exit_code();
        pidfd_.reset();
        self.complete(error, code);
    }

private:
    ForeignProcess* process_;
    UniqueFd pidfd_;
};

template <class Task, class Result, class Executor, class Subject, class Token>
auto wait_exit(Executor executor, Subject& subject, std::optional<Deadline> deadline,
               Token& token) {
    return asio::async_compose<Token, void(error_code, Result)>(
        Polling<Executor, Task>(executor, Task(subject, deadline)), token, executor);
}

}  // namespace syncspawn::for_boost::detail
