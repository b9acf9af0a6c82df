#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "guardian_program.hpp"
#include "orders.hpp"
#include "program_calls.hpp"

// The first process of a pid namespace, a program by itself: no C library, no memory but the stack, no constant that
// needs relocation. README.md says what it does.

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY

namespace syncspawn::detail {
namespace {

// Of what the sandbox is promised: without it, there is none.
void leave_if_refused(long result) noexcept {
    constexpr int not_told = 125;
    if (result < 0) {
        leave(not_told);
    }
}

struct Reaper {
    long program;  // 0: it has ended
    bool is_tied;
    bool lasts;
    int code;  // of the program, once that has ended
};

Reaper reaper_of(const char* const* arguments) noexcept {
    Reaper reaper{0, false, false, 0};
    for (const char* digit = arguments[1]; *digit != '\0'; ++digit) {
        reaper.program = reaper.program * 10 + (*digit - '0');
    }
    for (const char* letter = arguments[2]; *letter != '\0'; ++letter) {
        reaper.is_tied = reaper.is_tied || *letter == mode_tied;
        reaper.lasts = reaper.lasts || *letter == mode_lasts;
    }
    return reaper;
}

// The signal may have been lost on the way here, or the launcher may have ended before it was asked for.
void tie_to_launcher() noexcept {
    leave_if_refused(call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
    pollfd launcher{reapers_launcher, POLLIN, 0};
    timespec at_once;
    at_once.tv_sec = at_once.tv_nsec = 0;
    const long ended = call(SYS_ppoll, address_of(launcher), 1, address_of(at_once));
    leave_if_refused(ended);
    if (ended > 0) {
        leave(128 + SIGKILL);
    }
    call(SYS_close, reapers_launcher);
}

void settle(const Reaper& reaper) noexcept {
    // Its file cannot be read, so the kernel has seen to that, but not for who may read all files.
    leave_if_refused(call(SYS_prctl, PR_SET_DUMPABLE, 0));
    leave_if_refused(call(SYS_rt_sigprocmask, SIG_SETMASK, address_of(all_signals), no_argument,
                          size_of_signals));
    if (reaper.is_tied) {
        tie_to_launcher();
    }
    call(SYS_prctl, PR_SET_NAME, text_at("reaper"));
    call(SYS_chdir, text_at("/"));
    // What is sent to the program's group is not meant for this, which would pass it on again. Refused, or nothing new,
    // to who leads a group or a session.
    call(SYS_setpgid);
}

int code_of(int status) noexcept {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void bury_the_dead(Reaper& reaper) noexcept {
    int status = 0;
    long dead = 0;
    while ((dead = call(SYS_wait4, -1, address_of(status), WNOHANG | __WALL)) > 0) {
        if (dead != reaper.program) {
            continue;
        }
        call(SYS_write, reapers_status_pipe, address_of(status), sizeof status);
        reaper.code = code_of(status);
        if (!reaper.lasts) {
            leave(reaper.code);
        }
        reaper.program = 0;  // the number may be another's soon
    }
    if (dead < 0) {
        constexpr int not_told = 125;
        // The last one is gone; or a filter refuses wait4, and there is no more to learn.
        leave(reaper.program == 0 ? reaper.code : not_told);
    }
}

// In the eyes of this namespace a sender outside has the number 0.
bool is_from_outside(const siginfo_t& info) noexcept {
    return info.si_code <= 0 && info.si_pid == 0;
}

// A terminal that hangs up tells nobody but the leader of the session that it controls.
bool is_hang_up(const siginfo_t& info) noexcept {
    return info.si_signo == SIGHUP && info.si_code == SI_KERNEL;
}

void pass_on(const Reaper& reaper, const siginfo_t& info) noexcept {
    constexpr long everybody = -1;
    constexpr long own_group = 0;
    if (!is_from_outside(info) && !is_hang_up(info)) {
        return;
    }
    const long program = reaper.program != 0 ? reaper.program : everybody;
    const bool is_queued = info.si_code == SI_QUEUE;
    if (is_queued && is_order(info.si_value.sival_int)) {
        const Order order = order_of(info.si_value.sival_int);
        const bool is_for_group = order.whom == Whom::group && reaper.program != 0;
        call(SYS_kill, is_for_group ? own_group : program, order.signal);
    } else if (is_queued && reaper.program != 0) {
        call(SYS_rt_sigqueueinfo, program, info.si_signo, address_of(info));
    } else if (info.si_signo != SIGCHLD) {
        call(SYS_kill, program, info.si_signo);
    }
}

[[noreturn, gnu::used]] void reap(const long* stack) noexcept asm("syncspawn_reap");

void reap(const long* stack) noexcept {
    const auto* const arguments = reinterpret_cast<const char* const*>(stack + 1);
    if (is_guardian(arguments)) {
        guard(arguments);
    }
    Reaper reaper = reaper_of(arguments);
    settle(reaper);
    for (;;) {
        bury_the_dead(reaper);
        siginfo_t info;  // not as a whole, which might call memset(3)
        info.si_code = SI_KERNEL;
        if (call(SYS_rt_sigtimedwait, address_of(all_signals), address_of(info), no_argument,
                 size_of_signals) > 0) {
            pass_on(reaper, info);
        }
    }
}

}  // namespace
}  // namespace syncspawn::detail

// On the stack are the number of arguments, and those.
#if defined(__x86_64__)
asm(".globl _start\n"
    "_start:\n\t"
    "xor %ebp, %ebp\n\t"
    "mov %rsp, %rdi\n\t"
    "and $-16, %rsp\n\t"
    "call syncspawn_reap\n\t"
    "ud2");
#else
asm(".globl _start\n"
    "_start:\n\t"
    "mov x29, xzr\n\t"
    "mov x30, xzr\n\t"
    "mov x0, sp\n\t"
    "bl syncspawn_reap\n\t"
    "brk #1");
#endif

#else

// Never executed: there is a file to put into the library, and that is all.
extern "C" void _start() {}  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming)

#endif
