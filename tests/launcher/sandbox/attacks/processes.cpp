// Attacks on processes outside.
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>

#include "attack.hpp"

namespace syncspawn::attacks {
namespace {

std::string in_proc(const std::string& name, pid_t process = victim) {
    return "/proc/" + std::to_string(process) + "/" + name;
}

Outcome see() { return by(access(in_proc("stat").c_str(), F_OK) == 0); }
Outcome read_command_line() {
    return by(open(in_proc("cmdline").c_str(), O_RDONLY | O_CLOEXEC) >= 0);
}
Outcome read_environment() {
    return by(open(in_proc("environ").c_str(), O_RDONLY | O_CLOEXEC) >= 0);
}
Outcome read_by_root() { return by(reads_token(in_proc("root/mnt/tree/keys/secret").c_str())); }
Outcome read_by_directory() { return by(reads_token(in_proc("cwd/secret").c_str())); }
Outcome read_by_descriptor() {
    return by(reads_token(in_proc("fd/" + std::to_string(scene().memory_file)).c_str()));
}
Outcome read_memory_file() {
    char text[sizeof token]{};
    const int fd = open(in_proc("mem").c_str(), O_RDONLY | O_CLOEXEC);
    return by(fd >= 0 && has_token(text, pread(fd, text, sizeof text,
                                               reinterpret_cast<off_t>(scene().memory))));
}

Outcome trace() { return by(ptrace(PTRACE_SEIZE, victim, nullptr, nullptr) == 0); }

Outcome read_memory() {
    char text[sizeof token]{};
    const iovec into{text, sizeof text};
    const iovec from{const_cast<void*>(scene().memory), sizeof text};
    return by(has_token(text, process_vm_readv(victim, &into, 1, &from, 1, 0)));
}

int descriptor_of_victim() { return static_cast<int>(syscall(SYS_pidfd_open, victim, 0U)); }

Outcome take_descriptor() {
    const int pidfd = descriptor_of_victim();
    return by(pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, scene().memory_file, 0U) >= 0);
}

Outcome join_namespaces() {
    const int pidfd = descriptor_of_victim();
    return by(pidfd >= 0 && setns(pidfd, CLONE_NEWUTS) == 0);
}

// Ignored by default.
Outcome signal_by_kill() { return by(kill(victim, SIGURG) == 0); }
Outcome signal_by_tgkill() { return by(syscall(SYS_tgkill, victim, victim, SIGURG) == 0); }
Outcome signal_by_queue() { return by(sigqueue(victim, SIGURG, {}) == 0); }
Outcome signal_by_pidfd() {
    const int pidfd = descriptor_of_victim();
    return by(pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, SIGURG, nullptr, 0U) == 0);
}
// Its handler tells whether it has come.
Outcome signal_by_owner() {
    int ends[2];
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(ends[0], F_SETOWN, victim) == 0 &&
                   fcntl(ends[0], F_SETSIG, SIGUSR1) == 0 &&
                   fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0 && write(ends[1], "x", 1) == 1
               ? seen_outside()
               : denied();
}

// The launcher is in the same process group, unless the program has been given one of its own. The victim tells
// whether the signal has come.
Outcome signal_group() {
    signal(SIGCONT, SIG_IGN);
    return kill(0, SIGCONT) == 0 ? seen_outside() : denied();
}

Outcome slow_group_down() {
    setpriority(PRIO_PGRP, 0, 5);  // an error may be about another one of the group
    return seen_outside();
}

Outcome delay_group() {
    syscall(SYS_ioprio_set, 2 /* a process group */, 0, delayed_priority);
    return seen_outside();
}

Outcome slow_down() { return by(setpriority(PRIO_PROCESS, victim, 1) == 0); }
Outcome schedule() {
    const sched_param none{};
    return by(sched_setscheduler(victim, SCHED_BATCH, &none) == 0);
}
Outcome pin() {
    cpu_set_t cpus;
    return by(sched_getaffinity(victim, sizeof cpus, &cpus) == 0 &&
              sched_setaffinity(victim, sizeof cpus, &cpus) == 0);
}
Outcome limit() {
    const rlimit none{0, RLIM_INFINITY};
    return by(prlimit(victim, RLIMIT_CORE, &none, nullptr) == 0);
}
Outcome offer_to_killer() {
    const int fd = open(in_proc("oom_score_adj").c_str(), O_WRONLY | O_CLOEXEC);
    return by(fd >= 0 && write(fd, "500", 3) == 3);
}

bool attaches_token() {
    const int id = shmget(shared_memory_key, 0, 0);
    const void* const memory = id < 0 ? nullptr : shmat(id, nullptr, SHM_RDONLY);
    return memory != nullptr && reinterpret_cast<std::intptr_t>(memory) != -1 &&
           has_token(static_cast<const char*>(memory), token_size);
}
Outcome attach_shared_memory() { return by(attaches_token()); }
Outcome open_queue() { return by(mq_open(queue, O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0); }

Outcome trace_reaper() { return by(ptrace(PTRACE_SEIZE, 1, nullptr, nullptr) == 0); }
Outcome open_descriptors_of_reaper() {
    for (int fd = 0; fd < 256; ++fd) {
        if (open(in_proc("fd/" + std::to_string(fd), 1).c_str(),
                 O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0) {
            return worked();
        }
    }
    return denied();
}
Outcome write_memory_of_reaper() { return by(open("/proc/1/mem", O_RDWR | O_CLOEXEC) >= 0); }

// As a sibling, which the launcher finds among its children.
Outcome give_launcher_a_child() {
    const pid_t parent = getppid();
    int ends[2];
    const long child = pipe2(ends, O_CLOEXEC) < 0 ? -1
                                                  : syscall(SYS_clone, CLONE_PARENT | SIGCHLD,
                                                            nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        const bool is_parents = getppid() == parent;
        (void)!write(ends[1], &is_parents, 1);
        _exit(0);
    }
    bool is_parents = false;
    return by(child > 0 && read(ends[0], &is_parents, 1) == 1 && is_parents);
}

// Its grandchild leaves session and group, and is no longer waited for.
Outcome stay() {
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            prctl(PR_SET_NAME, survivor_name);
            close(0);
            close(1);
            close(2);
            alarm(600);
            for (;;) {
                pause();
            }
        }
        _exit(0);
    }
    wait(nullptr);
    return seen_outside();
}

}  // namespace

std::span<const Attack> attacks_on_processes() {
    static constexpr Attack all[]{
        {"see a process outside", see},
        {"read the command line of a process outside", read_command_line},
        {"read the environment of a process outside", read_environment},
        {"read a hidden file by `/proc/PID/root`", read_by_root},
        {"read a hidden file by `/proc/PID/cwd`", read_by_directory},
        {"read a hidden file by `/proc/PID/fd`", read_by_descriptor},
        {"read the memory of a process outside by `/proc/PID/mem`", read_memory_file},
        {"read the memory of a process outside by process_vm_readv(2)", read_memory,
         Without::root_can},
        {"trace a process outside", trace, Without::root_can},
        {"take a descriptor out of a process outside", take_descriptor, Without::root_can},
        {"join the namespaces of a process outside", join_namespaces, Without::root_can},
        {"signal a process outside by kill(2)", signal_by_kill},
        {"signal a process outside by tgkill(2)", signal_by_tgkill},
        {"signal a process outside by sigqueue(3)", signal_by_queue},
        {"signal a process outside by a pidfd", signal_by_pidfd},
        {"signal a process outside as the owner of a pipe", signal_by_owner},
        {"signal the launcher's process group", signal_group},
        {"slow a process outside down", slow_down},
        {"change the scheduling of a process outside", schedule},
        {"pin a process outside to a CPU", pin},
        {"set the limits of a process outside", limit},
        {"slow the launcher's process group down", slow_group_down},
        {"delay what the launcher's process group reads and writes", delay_group},
        {"offer a process outside to the out-of-memory killer", offer_to_killer},
        {"read System V shared memory", attach_shared_memory},
        {"open a POSIX message queue", open_queue, Without::everybody_can, ENOSYS},
        {"trace the reaper", trace_reaper, Without::root_can},
        {"open the descriptors of the reaper", open_descriptors_of_reaper, Without::root_can},
        {"write to the memory of the reaper", write_memory_of_reaper, Without::root_can},
        {"give its parent a child", give_launcher_a_child},
        {"stay behind when the program has ended", stay},
    };
    return all;
}

}  // namespace syncspawn::attacks
