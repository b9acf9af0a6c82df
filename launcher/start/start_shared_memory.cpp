#include <poll.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "barrier/linux/clone_with_stack.hpp"
#include "barrier/linux/fresh_descriptor.hpp"
#include "barrier/linux/newer_calls.hpp"
#include "barrier/linux/proc.hpp"
#include "birth.hpp"
#include "launcher/child/post_fork.hpp"
#include "launcher/child/sanitizers.hpp"
#include "launcher/child/words.hpp"
#include "memory_sharers.hpp"
#include "start_child.hpp"

namespace syncspawn::detail {

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY

namespace {

std::atomic<bool> is_proven{false};

// The caller's thread goes on beside the child, so this is neither vfork nor a thread: no CLONE_VFORK
// (the caller would be suspended), no CLONE_FILES (the child closes what is not its own).
clone_args beside(clone_args arguments, ParkedThread& lender) noexcept {
    arguments.flags |= CLONE_VM | CLONE_SETTLS | CLONE_CHILD_CLEARTID | CLONE_CLEAR_SIGHAND;
    arguments.stack = reinterpret_cast<std::uintptr_t>(lender.stack_begin());
    arguments.stack_size = lender.stack_size();
    arguments.tls = reinterpret_cast<std::uintptr_t>(lender.thread_pointer());
    arguments.child_tid = reinterpret_cast<std::uintptr_t>(&lender.is_lent);
    return arguments;
}

// The caller's thread is suspended: the child needs no lender, but uses its stack, below this, and its
// thread-local variables.
clone_args instead_of_the_caller(clone_args arguments) noexcept {
    arguments.flags |= CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND;
    return arguments;
}

// Before Linux 5.16 a core dump of the child ended every process that shares its memory.
bool kernel_dumps_the_child_alone() noexcept {
    utsname system{};
    char* rest = nullptr;
    if (uname(&system) < 0) {
        return false;
    }
    const long major = std::strtol(system.release, &rest, 10);
    const long minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
    return major > 5 || (major == 5 && minor >= 16);
}

// A debugger follows one process at a time: letting go of the child it takes its breakpoints out of
// the shared text, and so out of the parent.
bool is_traced() noexcept { return proc::status_number("self", "TracerPid:").value_or(0) != 0; }

Obstacle look_at_the_process() noexcept {
    if (is_thread_sanitized()) {
        return {"the thread sanitizer is at work", ENOSYS};
    }
    if (!kernel_dumps_the_child_alone()) {
        return {"it takes Linux 5.16", ENOSYS};
    }
    if (is_traced()) {
        return {"this process is traced", ENOSYS};
    }
    return {};
}

// Waits until the trial has ended, but not for ever: somebody may have stopped or frozen it. False if
// it had to be killed.
bool trial_ends_by_itself(pid_t trial, const UniqueFd& pidfd) noexcept {
    constexpr auto limit = std::chrono::seconds(5);
    constexpr int between_looks_in_ms = 10;
    const auto give_up = std::chrono::steady_clock::now() + limit;
    pollfd end{pidfd.get(), POLLIN, 0};
    bool has_ended = false;
    for (bool is_stopped = false; !has_ended && !is_stopped;) {
        has_ended = poll(&end, 1, between_looks_in_ms) > 0;
        siginfo_t info{};
        is_stopped = waitid(P_PID, static_cast<id_t>(trial), &info,
                            static_cast<int>(__WCLONE | WSTOPPED | WNOHANG | WNOWAIT)) == 0 &&
                     info.si_pid != 0;
        is_stopped = is_stopped || std::chrono::steady_clock::now() > give_up;
    }
    if (!has_ended) {
        syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
        poll(&end, 1, 100 * between_looks_in_ms);
    }
    waitpid(trial, nullptr, static_cast<int>(__WCLONE | WNOHANG));
    return has_ended;
}

// Emulations of Linux take the flags and give a copy: only trying tells.
Obstacle try_with(Loan& loan) noexcept {
    std::atomic<bool> was_written{false};
    int pidfd = -1;
    // No SIGCHLD (exit_signal is 0), so that the application does not see it, nor takes its status.
    clone_args arguments = beside({}, *loan);
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    loan->is_lent = 1;
    const long trial = clone_with_stack(
        arguments,
        [](void* place) {
            *static_cast<std::atomic<bool>*>(place) = true;
            _exit(0);
        },
        &was_written);
    if (trial < 0) {
        loan->is_lent = 0;
        loan.give_back();
        const int error = static_cast<int>(-trial);
        return is_not_here(NewerCall::clone3, error)
                   ? Obstacle{"this kernel, or a filter, has no clone3 that shares memory", ENOSYS}
                   : Obstacle{"clone3", error, KnownCall::birth};
    }
    if (!trial_ends_by_itself(static_cast<pid_t>(trial), UniqueFd(pidfd))) {
        return {"the child that tries it out was stopped", ETIMEDOUT};
    }
    if (!was_written || !loan.is_over()) {
        return {"what a child writes into shared memory is not seen here: an emulation", ENOSYS};
    }
    loan.give_back();
    is_proven = true;
    return {};
}

Obstacle try_it_out() noexcept {
    try {
        Loan loan = Loan::take(Credentials::stay);
        return try_with(loan);
    } catch (const std::system_error& failure) {
        return {"pthread_create", failure.code().value(), KnownCall::new_thread};
    } catch (const std::exception&) {
        return {"pthread_create", ENOMEM, KnownCall::new_thread};
    }
}

// What was found out once, but for what may pass: a limit, or no memory. Not a static that is
// initialised once: the child of a fork in the middle of that would wait for ever. Threads that come
// together each find out.
class Finding {
public:
    constexpr explicit Finding(Obstacle (*look)() noexcept) noexcept : look_(look) {}
    Obstacle get() noexcept {
        const char* const known = found_;
        if (known != not_looked_yet) {
            return {known, known != nullptr ? ENOSYS : 0, KnownCall::other};
        }
        const Obstacle obstacle = look_();
        if (obstacle.what == nullptr || obstacle.error == ENOSYS) {
            found_ = obstacle.what;
        }
        return obstacle;
    }

private:
    static constexpr const char* not_looked_yet = "";
    Obstacle (*look_)() noexcept;
    std::atomic<const char*> found_{not_looked_yet};
};

constinit Finding about_the_process(look_at_the_process);
constinit Finding about_the_trial(try_it_out);

// CLONE_CLEAR_SIGHAND and CLONE_INTO_CGROUP have seen to the rest.
constexpr Arrival arrival_alone{
    .joins_cgroup = false, .shares_memory = true, .is_alone = true, .word = nullptr};
Arrival arrival_beside(Word& word) noexcept {
    return {.joins_cgroup = false, .shares_memory = true, .is_alone = false, .word = &word};
}

Credentials credentials_of(const Plan& plan) noexcept {
    return plan.order.changes_credentials ? Credentials::change : Credentials::stay;
}

struct LoneChild {
    const Plan& plan;
    std::atomic<bool> was_here{false};
};

// No trial: where memory is not shared after all, the launch works as well. Its record is mapped until
// this has once been seen to work, and nothing relies on the caller being suspended.
StartedChild start_alone(const Plan& plan) noexcept {
    LoneChild lone{plan};
    int pidfd = -1;
    const clone_args arguments = instead_of_the_caller(birth_with_shared_memory(plan.birth, pidfd));
    const int callers_errno = errno;
    enter_memory(credentials_of(plan));
    const long result = clone_with_stack(
        arguments,
        [](void* argument) {
            auto& self = *static_cast<LoneChild*>(argument);
            self.was_here.store(true, std::memory_order_relaxed);
            run_child(self.plan, arrival_alone);
        },
        &lone);
    leave_memory();
    errno = callers_errno;
    if (result < 0) {
        return no_child(static_cast<int>(-result), "clone3", call_of(plan.birth));
    }
    StartedChild child;
    child.pid = static_cast<pid_t>(result);
    child.went_alone = true;
    child.left_memory = lone.was_here;
    is_proven = is_proven || child.left_memory;
    // The program runs already: it does so without a pidfd, too, should there be no number for one.
    child.pidfd = UniqueFd(above_standard_streams(pidfd));
    return child;
}

StartedChild start_beside(const Plan& plan) noexcept {
    StartedChild child;
    try {
        child.loan = Loan::take(credentials_of(plan));
    } catch (const std::system_error& failure) {
        return no_child(failure.code().value(), "pthread_create", KnownCall::new_thread);
    } catch (const std::bad_alloc&) {
        return no_child(ENOMEM, "pthread_create", KnownCall::new_thread);
    }
    ParkedThread& lender = *child.loan;
    int pidfd = -1;
    const clone_args arguments = beside(birth_with_shared_memory(plan.birth, pidfd), lender);
    lender.is_lent.store(childs_word_at(0));
    lender.plan = &plan;
    const long result = clone_with_stack(
        arguments,
        [](void* argument) {
            auto& its_lender = *static_cast<ParkedThread*>(argument);
            run_child(*its_lender.plan, arrival_beside(its_lender.is_lent));
        },
        &lender);
    if (result < 0) {
        lender.is_lent.store(0);
        child.loan.give_back();
        return no_child(static_cast<int>(-result), "clone3", call_of(plan.birth));
    }
    child.pid = static_cast<pid_t>(result);
    take_pidfd(child, pidfd, "clone3");
    return child;
}

}  // namespace

bool is_sharing_proven() noexcept { return is_proven; }

Obstacle obstacle_to_shared_memory() noexcept {
    const Obstacle obstacle = about_the_process.get();
    return obstacle.what != nullptr ? obstacle : about_the_trial.get();
}

StartedChild start_with_shared_memory(const Plan& plan, Caller caller) noexcept {
    const bool is_alone = caller == Caller::may_be_suspended;
    const Obstacle obstacle = is_alone ? about_the_process.get() : obstacle_to_shared_memory();
    if (obstacle.what != nullptr) {
        return no_child(obstacle.error, obstacle.what, obstacle.kind);
    }
    return is_alone ? start_alone(plan) : start_beside(plan);
}

#else

bool is_sharing_proven() noexcept { return false; }

Obstacle obstacle_to_shared_memory() noexcept {
    return {"it is not written for this processor yet", ENOSYS};
}

StartedChild start_with_shared_memory(const Plan&, Caller) noexcept {
    const Obstacle obstacle = obstacle_to_shared_memory();
    return no_child(obstacle.error, obstacle.what, obstacle.kind);
}

#endif

}  // namespace syncspawn::detail
