// System calls that exploits of the kernel begin with, and attempts to make them unseen.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

#include "attack.hpp"

namespace syncspawn::attacks {
namespace {

Outcome use_io_uring() {
    char parameters[120]{};
    return by(syscall(SYS_io_uring_setup, 1U, parameters) >= 0);
}

Outcome use_bpf() {
    bpf_attr map{};
    map.map_type = BPF_MAP_TYPE_ARRAY;
    map.key_size = map.value_size = 4;
    map.max_entries = 1;
    return by(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0);
}

Outcome use_perf() {
    perf_event_attr clock{};
    clock.type = PERF_TYPE_SOFTWARE;
    clock.size = sizeof clock;
    clock.config = PERF_COUNT_SW_CPU_CLOCK;
    return by(syscall(SYS_perf_event_open, &clock, 0, -1, -1, 0UL) >= 0);
}

Outcome use_userfaultfd() { return by(syscall(SYS_userfaultfd, O_CLOEXEC) >= 0); }

// With arguments that cannot do anything.
Outcome load_module() { return reached(syscall(SYS_init_module, nullptr, 0UL, nullptr)); }
Outcome load_module_of_file() { return reached(syscall(SYS_finit_module, -1, "", 0)); }
Outcome load_kernel() { return reached(syscall(SYS_kexec_load, 0UL, ~0UL, nullptr, 0UL)); }
Outcome reboot() { return reached(syscall(SYS_reboot, 0, 0, 0, nullptr)); }
Outcome set_clock() { return reached(syscall(SYS_settimeofday, 1UL, nullptr)); }
Outcome swap() { return reached(syscall(SYS_swapoff, "/mnt/outside/no-swap")); }
Outcome account() { return reached(syscall(SYS_acct, "/mnt/outside/no-file")); }
Outcome read_log() { return by(syscall(SYS_syslog, 10, nullptr, 0) >= 0); }
Outcome change_segments() { return reached(syscall(SYS_modify_ldt, 0, nullptr, 0UL)); }
Outcome use_ports() { return by(syscall(SYS_ioperm, 0x80UL, 1UL, 1) == 0); }
Outcome use_keys() { return by(syscall(SYS_add_key, "user", "x", "x", 1UL, -2) >= 0); }

Outcome make_data_executable() { return by(personality(READ_IMPLIES_EXEC) != -1); }
Outcome place_memory() { return by(personality(ADDR_NO_RANDOMIZE) != -1); }

Outcome run_from_memory() {
    const int fd = memfd_create("x", MFD_CLOEXEC);
    const int from = open(attack_program, O_RDONLY | O_CLOEXEC);
    char bytes[65536];
    for (ssize_t size = 0; (size = read(from, bytes, sizeof bytes)) > 0;) {
        (void)!write(fd, bytes, static_cast<std::size_t>(size));
    }
    return by(program_says_yes(("/proc/self/fd/" + std::to_string(fd)).c_str(), "here"));
}

// The tracer changes the number of a call that has begun.
Outcome change_call() {
#ifdef __x86_64__
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0) {
            _exit(errno);
        }
        raise(SIGSTOP);
        syscall(SYS_getppid);
        _exit(0);
    }
    user_regs_struct registers{};
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
        errno = WEXITSTATUS(status);
        return denied();
    }
    do {
        ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    } while (WIFSTOPPED(status) && registers.orig_rax != SYS_getppid);
    registers.orig_rax = SYS_unshare;
    registers.rdi = CLONE_NEWUSER;
    ptrace(PTRACE_SETREGS, child, nullptr, &registers);
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    kill(child, SIGKILL);
    const auto result = static_cast<long>(registers.rax);
    errno = result < 0 ? static_cast<int>(-result) : 0;
    return by(result == 0);
#else
    return untried("it is written for x86-64");
#endif
}

#ifdef __x86_64__
bool gets_pid_as_i386() {
    long result = 20;
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    errno = ENOSYS;  // user-mode Linux takes it for a call of x86-64
    return result == getpid();
}
#endif

// Without such calls in the kernel it is SIGSEGV.
Outcome call_as_i386() {
#ifdef __x86_64__
    return by(in_child(gets_pid_as_i386));
#else
    return untried("this processor has no such calls");
#endif
}

Outcome call_as_x32() {
#ifdef __x86_64__
    return by(syscall(0x40000000 + SYS_getpid) > 0);
#else
    return untried("this processor has no such calls");
#endif
}

Outcome raise_core_limit() {
    const rlimit much{1 << 20, 1 << 20};
    return by(setrlimit(RLIMIT_CORE, &much) == 0);
}

Outcome write_too_much() {
    signal(SIGXFSZ, SIG_IGN);
    const int fd = open("/mnt/work/large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return by(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
}

Outcome open_too_many() {
    for (int count = 0; count < 600; ++count) {
        if (dup(0) < 0) {
            return denied();
        }
    }
    return worked();
}

}  // namespace

std::span<const Attack> attacks_on_kernel() {
    static constexpr Attack all[]{
        {"use io_uring", use_io_uring, Without::root_can, ENOSYS},
        {"use bpf(2)", use_bpf, Without::root_can, ENOSYS},
        {"use perf_event_open(2)", use_perf, Without::root_can, ENOSYS},
        {"use userfaultfd(2)", use_userfaultfd, Without::root_can, ENOSYS},
        {"add a key", use_keys, Without::everybody_can, ENOSYS},
        {"load a module", load_module, Without::root_can, ENOSYS},
        {"load a module from a file", load_module_of_file, Without::root_can, ENOSYS},
        {"load another kernel", load_kernel, Without::root_can, ENOSYS},
        {"reboot", reboot, Without::root_can},
        {"set the clock", set_clock, Without::root_can},
        {"turn swap off", swap, Without::root_can, ENOSYS},
        {"turn process accounting on", account, Without::root_can, ENOSYS},
        {"read the kernel's log", read_log, Without::root_can},
        {"use the processor's segments", change_segments, Without::everybody_can, ENOSYS},
        {"use the processor's ports", use_ports, Without::root_can, ENOSYS},
        {"make data executable by personality(2)", make_data_executable},
        {"have its memory placed as ever", place_memory},
        {"run a program from memory", run_from_memory},
        {"make a user namespace by a call changed in ptrace(2)", change_call},
        {"make calls of i386", call_as_i386, Without::everybody_can, ENOSYS},
        {"make calls of x32", call_as_x32, Without::everybody_can, ENOSYS},
        {"raise the limit of core dumps", raise_core_limit},
        {"write a file that is too large", write_too_much},
        {"open too many files", open_too_many},
    };
    return all;
}

}  // namespace syncspawn::attacks
