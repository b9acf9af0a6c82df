#include "support/system_call_trap.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include <cerrno>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#define SYSCALL_DISPATCH_FILTER_ALLOW 0
#define SYSCALL_DISPATCH_FILTER_BLOCK 1
#endif

namespace syncspawn::testing {
namespace {

// The kernel looks at this byte upon every system call: arming the trap needs none.
volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
volatile long number = -1;

void on_system_call(int, siginfo_t* info, void* context) noexcept {
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    number = info->si_syscall;
#ifdef __x86_64__
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#else
    (void)context;
#endif
}

bool switch_to(unsigned long mode) noexcept {
#ifdef __x86_64__
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, 0UL, 0UL,
                 mode == PR_SYS_DISPATCH_ON ? &selector : nullptr) == 0;
#else
    (void)mode;
    return false;
#endif
}

}  // namespace

bool SystemCallTrap::is_available() noexcept {
    return switch_to(PR_SYS_DISPATCH_ON) && switch_to(PR_SYS_DISPATCH_OFF);
}

SystemCallTrap::SystemCallTrap() noexcept {
    struct sigaction action {};
    action.sa_sigaction = on_system_call;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, nullptr);
    number = -1;
    if (switch_to(PR_SYS_DISPATCH_ON)) {
        selector = SYSCALL_DISPATCH_FILTER_BLOCK;
    }
}

SystemCallTrap::~SystemCallTrap() { (void)caught(); }

long SystemCallTrap::caught() noexcept {
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    switch_to(PR_SYS_DISPATCH_OFF);
    return number;
}

}  // namespace syncspawn::testing
