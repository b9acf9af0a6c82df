#include "call_supervisor.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/descriptor_message.hpp"
#include "support/peer.hpp"

namespace syncspawn::testing {
namespace {

// The kernel writes as much as it knows of.
bool has_known_sizes() noexcept {
    seccomp_notif_sizes sizes{};
    return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
           sizes.seccomp_notif <= sizeof(seccomp_notif) &&
           sizes.seccomp_notif_resp <= sizeof(seccomp_notif_resp);
}

// All calls, but for the one that brings the listener to the supervisor: sendmsg(2) on `socket`.
int notify_of_calls(int socket) noexcept {
    const std::array filter{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_sendmsg},
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<unsigned>(socket)},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
    };
    const sock_fprog program{static_cast<unsigned short>(filter.size()),
                             const_cast<sock_filter*>(filter.data())};
    if (!has_known_sizes()) {
        return -1;
    }
    const auto install = [&] {
        return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                        SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    };
    const int listener = install();  // an administrator's takes no more
    return listener < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
               ? install()
               : listener;
}

bool send_descriptor(int socket, int fd) noexcept {
    char byte = 0;
    detail::DescriptorMessage message(byte);
    message.attach(fd);
    return message.send(socket, 0) == 1;
}

// None if the other side is gone.
UniqueFd receive_descriptor(int socket) noexcept {
    char byte = 0;
    detail::DescriptorMessage message(byte);
    while (message.receive(socket, 0) < 0 && errno == EINTR) {
    }
    return UniqueFd(message.descriptor());
}

[[noreturn]] void be_supervised(const Subject& subject, int socket) {
    subject.prepare();
    const int listener = notify_of_calls(socket);
    if (listener < 0) {
        _exit(status_left_out);
    }
    if (!send_descriptor(socket, listener)) {
        _exit(status_expected);
    }
    close(listener);
    close(socket);
    subject.work();
    _exit(status_reached);
}

class SigchldAsDescriptor {
public:
    SigchldAsDescriptor() {
        sigemptyset(&sigchld_);
        sigaddset(&sigchld_, SIGCHLD);
        sigprocmask(SIG_BLOCK, &sigchld_, &before_);
        fd_ = UniqueFd(signalfd(-1, &sigchld_, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    ~SigchldAsDescriptor() { restore(); }
    SigchldAsDescriptor(const SigchldAsDescriptor&) = delete;
    SigchldAsDescriptor& operator=(const SigchldAsDescriptor&) = delete;

    void restore() const noexcept { sigprocmask(SIG_SETMASK, &before_, nullptr); }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    void take() const noexcept {
        signalfd_siginfo info{};
        while (read(fd_.get(), &info, sizeof info) > 0) {
        }
    }

private:
    sigset_t sigchld_{}, before_{};
    UniqueFd fd_;
};

void answer(int listener, const std::function<Sentence(const SeenCall&)>& judge) {
    seccomp_notif seen{};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &seen) < 0) {
        return;  // it was killed meanwhile
    }
    const auto thread = static_cast<pid_t>(seen.pid);
    const auto* const arguments = reinterpret_cast<const std::uint64_t*>(seen.data.args);
    const Sentence sentence = judge({thread, seen.data.nr, arguments});
    if (sentence.is_death()) {
        kill(thread, SIGKILL);
        return;
    }
    seccomp_notif_resp answer{};
    answer.id = seen.id;
    answer.error = -sentence.error();
    answer.flags = sentence.error() == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

// False once there is no child any more. A child that dies before its execve may tell of it by no signal.
bool reap(pid_t forked, int& status) noexcept {
    for (;;) {
        int ended = 0;
        const pid_t pid = waitpid(-1, &ended, WNOHANG | __WALL);
        if (pid <= 0) {
            return pid == 0;
        }
        if (pid == forked) {
            status = ended;
        }
    }
}

}  // namespace

std::optional<int> supervise(const Subject& subject,
                             const std::function<Sentence(const SeenCall&)>& judge) {
    const SigchldAsDescriptor sigchld;
    int ends[2];
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return std::nullopt;
    }
    UniqueFd here(ends[0]);
    UniqueFd there(ends[1]);
    const pid_t forked = fork();
    if (forked == 0) {
        here.reset();
        sigchld.restore();
        be_supervised(subject, there.release());
    }
    there.reset();
    const UniqueFd listener = receive_descriptor(here.get());
    int status = 0;
    std::array watched{pollfd{listener.get(), POLLIN, 0}, pollfd{sigchld.fd(), POLLIN, 0}};
    for (bool are_there = forked > 0; are_there;) {
        poll(watched.data(), watched.size(), -1);
        if ((watched[0].revents & POLLIN) != 0) {
            answer(listener.get(), judge);
        } else if ((watched[0].revents & POLLHUP) != 0) {
            watched[0].fd = -1;  // nobody is left who could call
        }
        if (watched[1].revents != 0) {
            sigchld.take();
            are_there = reap(forked, status);
        }
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    const bool was_left_out = WIFEXITED(status) && WEXITSTATUS(status) == status_left_out;
    return forked > 0 && !was_left_out ? std::optional(status) : std::nullopt;
}

}  // namespace syncspawn::testing
