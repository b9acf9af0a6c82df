#pragma once

#include <linux/sched.h>
#include <sys/syscall.h>

// The one piece of assembly: clone3 or clone for a child that shares this process's memory. The C library has no
// such function: its clone() knows none of the flags that only clone3 has, and takes a whole stack, and its raw syscall()
// would return on the new stack to where there is no caller, or twice on the caller's.

namespace syncspawn::detail {

#if defined(__x86_64__) || defined(__aarch64__)
#define SYNCSPAWN_CAN_SHARE_MEMORY 1

// The first two arguments are those of the system call. Runs run(argument) in the child, which must not return;
// returns the child's pid, or a negated errno, and leaves errno alone.
[[gnu::noinline]] inline long clone_by(long number, long first, long second, void (*run)(void*),
                                       void* argument) noexcept {
#if defined(__x86_64__)
    register void (*run_there)(void*) asm("r8") = run;
    register void* argument_there asm("r9") = argument;
    long result = number;
    asm volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "sub $128, %%rsp\n\t"  // the red zone: of the caller, if the stack is
        "and $-16, %%rsp\n\t"
        "xor %%ebp, %%ebp\n\t"  // the outermost frame
        "mov %[argument], %%rdi\n\t"
        "call *%[run]\n\t"
        "ud2\n"
        "1:"
        : "+a"(result)
        : "D"(first), "S"(second), [run] "r"(run_there), [argument] "r"(argument_there)
        : "rcx", "r11", "memory", "cc");
    return result;
#else
    register long result asm("x0") = first;
    register long second_there asm("x1") = second;
    register long number_there asm("x8") = number;
    register void (*run_there)(void*) asm("x10") = run;
    register void* argument_there asm("x11") = argument;
    asm volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, xzr\n\t"  // the outermost frame
        "mov x30, xzr\n\t"
        "mov x0, %[argument]\n\t"
        "blr %[run]\n\t"
        "brk #1\n"
        "1:"
        : "+r"(result)
        : "r"(second_there), "r"(number_there), [run] "r"(run_there), [argument] "r"(argument_there)
        : "memory", "cc");
    return result;
#endif
}

// `arguments` must have CLONE_VM, and either name a stack or have CLONE_VFORK: then the child runs below the frame of
// the caller, which the kernel suspends.
inline long clone_with_stack(const clone_args& arguments, void (*run)(void*),
                             void* argument) noexcept {
    return clone_by(SYS_clone3, reinterpret_cast<long>(&arguments), sizeof arguments, run,
                    argument);
}

// The same by clone(2), which filters and older kernels know, for a child that runs below the frame of the caller.
inline long clone_below(unsigned long flags, void (*run)(void*), void* argument) noexcept {
    constexpr long callers_stack = 0;
    return clone_by(SYS_clone, static_cast<long>(flags | CLONE_VM | CLONE_VFORK), callers_stack,
                    run, argument);
}

// A system call that leaves errno alone.
inline long call_without_errno(long number, long first, long second, long third,
                               long fourth) noexcept {
#if defined(__x86_64__)
    register long fourth_there asm("r10") = fourth;
    long result = number;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(first), "S"(second), "d"(third), "r"(fourth_there)
                 : "rcx", "r11", "memory");
    return result;
#else
    register long result asm("x0") = first;
    register long second_there asm("x1") = second;
    register long third_there asm("x2") = third;
    register long fourth_there asm("x3") = fourth;
    register long number_there asm("x8") = number;
    asm volatile("svc #0"
                 : "+r"(result)
                 : "r"(second_there), "r"(third_there), "r"(fourth_there), "r"(number_there)
                 : "memory");
    return result;
#endif
}

// What the kernel calls the TLS of the calling thread.
inline void* thread_pointer() noexcept {
    void* pointer = nullptr;
#if defined(__x86_64__)
    asm("mov %%fs:0, %0" : "=r"(pointer));
#else
    asm("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
    return pointer;
}

#endif

}  // namespace syncspawn::detail
