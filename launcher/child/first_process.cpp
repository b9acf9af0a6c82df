#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "barrier/linux/bounded_text.hpp"
#include "barrier/linux/clone_with_stack.hpp"
#include "child.hpp"
#include "launcher/reaper/orders.hpp"
#include "open_descriptors.hpp"
#include "raw_calls.hpp"
#include "sanitizers.hpp"

// Where the first process of a pid namespace is a reaper: ../reaper/README.md.

namespace syncspawn::detail {
namespace {

// What both processes see, on the stack of the first one.
struct TwoProcesses {
    Child& child;
    void (*become_program)(Child&) noexcept;
    raw::SignalSet waiting{};           // signals that the first was sent so far
    raw::SignalAction at_childs_end{};  // as it was: SIGCHLD
};

[[noreturn]] void fail(Child& child, const char* call, int error, KnownCall known) noexcept {
    child.fail({child.plan.order.execve_item, error, call, known});
}

// An ignored one would lose the program's status.
void expect_childs_end(TwoProcesses& two) noexcept {
    if (!raw::get_action(SIGCHLD, two.at_childs_end) || !raw::set_action(SIGCHLD, {})) {
        fail(two.child, "rt_sigaction", errno, KnownCall::other);
    }
}

// Or they would be lost to the program, whose process has none of its own yet.
void take_waiting_signals(TwoProcesses& two) noexcept {
    const raw::SignalSet all = raw::all_signals;
    constexpr timespec at_once{};
    long signal = 0;
    while ((signal = syscall(SYS_rt_sigtimedwait, &all, nullptr, &at_once, raw::signal_set_size)) >
           0) {
        two.waiting.bits |= 1UL << (signal - 1);
    }
}

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY
// All of them are blocked still.
void give_waiting_signals(const TwoProcesses& two) noexcept {
    for (int signal = 1; two.waiting.bits != 0 && signal < _NSIG; ++signal) {
        if ((two.waiting.bits >> (signal - 1) & 1) != 0) {
            syscall(SYS_kill, getpid(), signal);
        }
    }
}

[[noreturn]] void live_as_program(void* both) noexcept {
    auto& two = *static_cast<TwoProcesses*>(both);
    give_waiting_signals(two);
    if (two.at_childs_end.handler != raw::default_action) {
        (void)raw::set_action(SIGCHLD, two.at_childs_end);
    }
    two.become_program(two.child);
    Child::vanish();
}

// On this stack, below, while this process sleeps until that has executed or is dead.
pid_t start_program(TwoProcesses& two) noexcept {
    Child& child = two.child;
    const bool has_death_signal = child.has_death_signal;
    child.has_death_signal = false;  // the second one is not born with it
    child.parent = getpid();
    constexpr unsigned long no_signal_at_its_end = 0;
    const long program = clone_below(no_signal_at_its_end, live_as_program, &two);
    forget_stack();
    child.has_death_signal = has_death_signal;
    if (program < 0) {
        fail(child, "clone", static_cast<int>(-program), KnownCall::second_birth);
    }
    return static_cast<pid_t>(program);
}
#else
pid_t start_program(TwoProcesses& two) noexcept {
    fail(two.child, "clone", ENOSYS, KnownCall::second_birth);
}
#endif

// The program runs for a moment while this process still has the launcher's memory, and the same user. What is not
// dumpable, nobody inside may trace, nor read or write in /proc (ptrace(2)): it takes a capability in the user namespace
// that this memory is from.
void lock_memory(Child& child) noexcept {
    if (prctl(PR_SET_DUMPABLE, 0) < 0) {
        fail(child, "prctl(PR_SET_DUMPABLE)", errno, KnownCall::other);
    }
}

// Whoever waits for this process learns of that one's end.
[[noreturn]] void tell_end_before_execve(const Child& child, int status) noexcept {
    // It has executed nothing, whatever it said of itself.
    Commit claimed = Commit::hot;
    child.record.commit.compare_exchange_strong(claimed, Commit::armed);
    (void)!write(child.plan.reaper.status_pipe, &status, sizeof status);
    Child::vanish();
}

// The program's process is born without a signal at its end, and execve(2) gives it SIGCHLD. So until then, and if it
// ends before, it is one of those that __WCLONE is about: wait(2). Where a filter refuses the call, the record is all
// there is. One look is enough, but for emulations, where the kernel's vfork is a fork.
void await_execve(const Child& child, pid_t program) noexcept {
    constexpr timespec pause{0, 1'000'000};
    for (;;) {
        int status = 0;
        const long ended = syscall(SYS_wait4, program, &status, WNOHANG | __WCLONE, nullptr);
        if (ended < 0 && (errno == ECHILD || child.record.commit == Commit::hot)) {
            return;
        }
        if (ended != 0) {
            tell_end_before_execve(child, status);
        }
        ppoll(nullptr, 0, &pause, nullptr);
    }
}

// Nothing but what the reaper works with survives this process's execve.
bool leave_descriptors(const Child& child, bool is_tied) noexcept {
    const std::array kept{reapers_status_pipe, reapers_launcher};
    return dup2(child.plan.reaper.status_pipe, reapers_status_pipe) >= 0 &&
           (!is_tied || dup2(child.plan.parent.pidfd, reapers_launcher) >= 0) &&
           close_on_exec_all_but(kept.data(), is_tied ? 2 : 1);
}

}  // namespace

void become_reaper(Child& child, void (*become_program)(Child&) noexcept) noexcept {
    TwoProcesses two{child, become_program};
    lock_memory(child);
    expect_childs_end(two);
    take_waiting_signals(two);
    const pid_t program = start_program(two);
    await_execve(child, program);

    settle_death_signal(child, child.plan.order.execve_item);
    const bool is_tied = child.plan.birth.die_with_parent && child.plan.parent.pidfd >= 0;
    if (!leave_descriptors(child, is_tied)) {
        fail(child, "descriptors of the reaper", errno, KnownCall::behind_execve);
    }
    char name[] = "syncspawn-reaper";
    char number[12];
    char modes[3];
    BoundedText(number) << program;
    BoundedText text(modes);
    if (is_tied) {
        text << mode_tied;
    }
    if (child.plan.reaper.lasts) {
        text << mode_lasts;
    }
    char* const arguments[] = {name, number, modes, nullptr};
    char* const environment[] = {nullptr};
    syscall(SYS_execveat, child.plan.reaper.file, "", arguments, environment, AT_EMPTY_PATH);
    fail(child, "execveat, of the reaper", errno, KnownCall::reaper);
}

}  // namespace syncspawn::detail
