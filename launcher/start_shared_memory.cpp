#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>

#include "barrier/fresh_descriptor.hpp"
#include "birth.hpp"
#include "clone_with_stack.hpp"
#include "post_fork.hpp"
#include "proc_status.hpp"
#include "sanitizers.hpp"
#include "start_child.hpp"

namespace syncspawn::detail {

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY

namespace {

// The caller's thread goes on beside the child, so this is neither vfork nor a thread: no CLONE_VFORK
// (the caller would be suspended), no CLONE_FILES (the child closes what is not its own).
clone_args sharing_memory(clone_args arguments, ParkedThread& lender) noexcept {
    arguments.flags |= CLONE_VM | CLONE_SETTLS | CLONE_CHILD_CLEARTID | CLONE_CLEAR_SIGHAND;
    arguments.stack = reinterpret_cast<std::uintptr_t>(lender.stack_begin());
    arguments.stack_size = lender.stack_size();
    arguments.tls = reinterpret_cast<std::uintptr_t>(lender.thread_pointer());
    arguments.child_tid = reinterpret_cast<std::uintptr_t>(&lender.is_lent);
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
bool is_traced() {
    const std::string tracer = proc_status("self", "TracerPid:");
    return !tracer.empty() && tracer != "0";
}

bool is_for_good(int error) noexcept {
    return error == ENOSYS || error == EPERM || error == EINVAL || error == E2BIG;
}

// Emulations of Linux take the flags and give a copy: only trying tells.
Obstacle try_it_out() {
    Loan loan = Loan::take();
    std::atomic<bool> was_written{false};
    const clone_args arguments = sharing_memory({}, *loan);
    loan->is_lent = 1;
    const long pid = clone_with_stack(
        arguments,
        [](void* place) {
            *static_cast<std::atomic<bool>*>(place) = true;
            _exit(0);
        },
        &was_written);
    if (pid < 0) {
        loan->is_lent = 0;
        loan.give_back();
        const int error = static_cast<int>(-pid);
        return is_for_good(error)
                   ? Obstacle{"this kernel, or a filter, has no clone3 that shares memory", ENOSYS}
                   : Obstacle{"clone3", error};
    }
    // No SIGCHLD (exit_signal is 0), so that the application does not see it, nor takes its status.
    while (waitpid(static_cast<pid_t>(pid), nullptr, static_cast<int>(__WCLONE)) < 0 &&
           errno == EINTR) {
    }
    if (!was_written || !loan.is_over()) {
        return {"what a child writes into shared memory is not seen here: an emulation", ENOSYS};
    }
    loan.give_back();
    return {};
}

Obstacle look_for_obstacles() noexcept {
    if (is_thread_sanitized) {
        return {"the thread sanitizer is at work", ENOSYS};
    }
    try {
        if (!kernel_dumps_the_child_alone()) {
            return {"it takes Linux 5.16", ENOSYS};
        }
        if (is_traced()) {
            return {"this process is traced", ENOSYS};
        }
        return try_it_out();
    } catch (const std::system_error& failure) {
        return {"pthread_create", failure.code().value()};
    } catch (const std::exception&) {
        return {"pthread_create", ENOMEM};
    }
}

}  // namespace

Obstacle obstacle_to_shared_memory() noexcept {
    // Not a static that is initialised once: the child of a fork in the middle of that would wait for
    // ever. Threads that come together each find out.
    static constexpr const char* not_looked_yet = "";
    static std::atomic<const char*> found{not_looked_yet};
    const char* const known = found;
    if (known != not_looked_yet) {
        return {known, known != nullptr ? ENOSYS : 0};
    }
    const Obstacle obstacle = look_for_obstacles();
    if (obstacle.what == nullptr || obstacle.error == ENOSYS) {
        found = obstacle.what;
    }
    return obstacle;
}

StartedChild start_with_shared_memory(Plan& plan) noexcept {
    if (const Obstacle obstacle = obstacle_to_shared_memory(); obstacle.what != nullptr) {
        return no_child(obstacle.error, obstacle.what);
    }
    StartedChild child;
    try {
        child.loan = Loan::take();
    } catch (const std::system_error& failure) {
        return no_child(failure.code().value(), "pthread_create");
    } catch (const std::bad_alloc&) {
        return no_child(ENOMEM, "pthread_create");
    }
    ParkedThread& lender = *child.loan;
    int pidfd = -1;
    const clone_args arguments = sharing_memory(birth_of(plan, pidfd), lender);
    plan.handlers_are_default = true;
    lender.is_lent.store(1);
    const long result = clone_with_stack(
        arguments, [](void* argument) { run_child(*static_cast<const Plan*>(argument)); }, &plan);
    if (result < 0) {
        lender.is_lent.store(0);
        child.loan.give_back();
        return no_child(static_cast<int>(-result), "clone3", KnownCall::birth);
    }
    child.pid = static_cast<pid_t>(result);
    child.pidfd = UniqueFd(core::above_standard_streams(pidfd));
    return child;
}

#else

Obstacle obstacle_to_shared_memory() noexcept {
    return {"it is not written for this processor yet", ENOSYS};
}

StartedChild start_with_shared_memory(Plan&) noexcept {
    const Obstacle obstacle = obstacle_to_shared_memory();
    return no_child(obstacle.error, obstacle.what);
}

#endif

}  // namespace syncspawn::detail
