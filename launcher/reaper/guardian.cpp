#include "guardian.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include "barrier/linux/clone_with_stack.hpp"
#include "barrier/linux/descriptor_message.hpp"
#include "barrier/linux/fresh_descriptor.hpp"
#include "guardian_orders.hpp"
#include "launcher/child/open_descriptors.hpp"
#include "launcher/child/sanitizers.hpp"
#include "reaper_file.hpp"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace syncspawn::detail {
namespace {

constexpr std::size_t fixed_descriptors = 4;

// All that its process needs, complete before there is one.
struct Start {
    int file;
    std::array<int, fixed_descriptors> fixed;  // in the order of their numbers there
    std::vector<int> kept;
    std::vector<char*> arguments;
    int told_to;  // where it says its errno if it cannot be executed
};

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY

bool arrange(const Start& start) noexcept {
    for (std::size_t number = 0; number < fixed_descriptors; ++number) {
        if (start.fixed[number] >= 0 &&
            syscall(SYS_dup3, start.fixed[number], static_cast<int>(number), 0) < 0) {
            return false;
        }
    }
    for (const int fd : start.kept) {
        syscall(SYS_fcntl, fd, F_SETFD, 0);
    }
    return close_on_exec_all_but(start.kept.data(), start.kept.size());
}

// In a session of its own: what is sent to the launcher's group is not meant for it.
[[noreturn]] void become_guardian(void* argument) noexcept {
    const auto& start = *static_cast<const Start*>(argument);
    char* const environment[] = {nullptr};
    syscall(SYS_setsid);
    if (arrange(start)) {
        syscall(SYS_execveat, start.file, "", start.arguments.data(), environment, AT_EMPTY_PATH);
    }
    const int error = errno;
    (void)syscall(SYS_write, start.told_to, &error, sizeof error);
    for (;;) {
        syscall(SYS_exit_group, 1);
    }
}

// This thread sleeps until it is executed, or has failed. The thread sanitizer does not allow that a child calls
// anything in this memory.
long clone_executed(Start& start) noexcept {
    constexpr unsigned long no_signal_at_its_end = 0;
    if (!is_thread_sanitized()) {
        const long guardian = clone_below(no_signal_at_its_end, become_guardian, &start);
        forget_stack();
        return guardian;
    }
    const long guardian = syscall(SYS_clone, CLONE_VFORK, nullptr, nullptr, nullptr, nullptr);
    if (guardian == 0) {
        become_guardian(&start);
    }
    return guardian < 0 ? -errno : guardian;
}

pid_t give_birth(Start& start) noexcept {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const long guardian = clone_executed(start);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = guardian < 0 ? static_cast<int>(-guardian) : errno;
    return static_cast<pid_t>(guardian);
}
#else
pid_t give_birth(Start&) noexcept {
    errno = ENOSYS;
    return -1;
}
#endif

// Out of the way of the numbers that they get there.
UniqueFd moved(int fd) noexcept { return UniqueFd(fd < 0 ? -1 : duplicate_from(fd, 10)); }

UniqueFd pidfd_of(pid_t process) noexcept {
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
    return moved(pidfd.get());
}

struct Sockets {
    UniqueFd own;
    UniqueFd guardians;
};

Sockets new_sockets() noexcept {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return {};
    }
    const UniqueFd first(ends[0]);
    const UniqueFd second(ends[1]);
    return {moved(first.get()), moved(second.get())};
}

std::vector<std::string> words_for(const GuardedLinks& links) {
    std::vector<std::string> words{"syncspawn-guardian", word_for_guardian, links.target};
    for (const GuardedLink& link : links.links) {
        words.insert(words.end(), {std::to_string(link.directory), link.name,
                                   std::to_string(link.byte), link.record});
    }
    return words;
}

std::vector<int> kept_by(const GuardedLinks& links) {
    std::vector<int> kept{guardians_socket, guardians_locks, guardians_registry,
                          guardians_launcher};
    for (const GuardedLink& link : links.links) {
        kept.push_back(link.directory);
    }
    return kept;
}

}  // namespace

Guardian::~Guardian() { dismiss(); }

Guardian Guardian::start(const GuardedLinks& links) {
    const int file = reaper_file();
    const Sockets sockets = file < 0 ? Sockets{} : new_sockets();
    const UniqueFd launcher = pidfd_of(getpid());
    if (!sockets.own || !sockets.guardians || !launcher) {
        return {};
    }
    std::vector<std::string> words = words_for(links);
    Start start{.file = file,
                .fixed = {sockets.guardians.get(), links.locks, links.registry, launcher.get()},
                .kept = kept_by(links),
                .arguments = {},
                .told_to = sockets.guardians.get()};
    for (std::string& word : words) {
        start.arguments.push_back(word.data());
    }
    start.arguments.push_back(nullptr);
    const pid_t process = give_birth(start);
    if (process < 0) {
        return {};
    }
    int error = 0;
    if (recv(sockets.own.get(), &error, sizeof error, MSG_DONTWAIT) > 0) {
        syscall(SYS_wait4, process, nullptr, __WALL, nullptr);
        errno = error;
        return {};
    }
    Guardian guardian;
    guardian.socket_ = moved(sockets.own.get());
    guardian.process_ = pidfd_of(process);
    if (!guardian.process_) {  // nobody could end it later
        syscall(SYS_kill, process, SIGKILL);
        syscall(SYS_wait4, process, nullptr, __WALL, nullptr);
        return {};
    }
    return guardian;
}

void Guardian::watch(int process) noexcept {
    char told = told_to_watch;
    DescriptorMessage message(told);
    message.attach(process);
    if (socket_) {
        (void)message.send(socket_.get(), MSG_NOSIGNAL);
    }
}

void Guardian::dismiss() noexcept {
    if (process_) {
        siginfo_t info;
        syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
        while (syscall(SYS_waitid, P_PIDFD, process_.get(), &info, WEXITED | __WALL, nullptr) < 0 &&
               errno == EINTR) {
        }
    }
    leave();
}

void Guardian::leave() noexcept {
    socket_.reset();
    process_.reset();
}

}  // namespace syncspawn::detail
