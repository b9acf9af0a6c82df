#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>
#include <utility>

#include <syncspawn/sandbox/network.hpp>

#include "address.hpp"
#include "barrier/linux/cancellation.hpp"
#include "barrier/linux/descriptor_message.hpp"
#include "barrier/linux/fresh_descriptor.hpp"
#include "barrier/linux/owned_descriptor.hpp"
#include "barrier/linux/waiting.hpp"
#include "launcher/sandbox/child/network_visitor.hpp"

// A socket belongs to the network namespace of the process that makes it. An ordinary user comes into that by
// way of the user namespace, and no process with threads may enter one. So a child does.

namespace syncspawn::sandbox {
namespace {

class Errand {
public:
    explicit Errand(const std::string& address) : what_("connect_inside '" + address + "': ") {}
    [[noreturn]] void fail(int error, const std::string& call) const {
        throw std::system_error(error, std::generic_category(), what_ + call);
    }
    [[nodiscard]] UniqueFd open(const std::string& path, int flags) const {
        UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
        if (!fd) {
            // The files of a process that has ended and is not reaped yet.
            fail(errno == ENOENT ? ESRCH : errno, path);
        }
        return fd;
    }

private:
    std::string what_;
};

bool is_same(int fd, const char* path) {
    struct stat left {};
    struct stat right {};
    return fstat(fd, &left) == 0 && stat(path, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

// What there is to enter; empty descriptors where that is where the caller is already.
struct Places {
    UniqueFd user{};
    UniqueFd network{};
    UniqueFd root{};
};

// The user namespace that has this one; capabilities in it are what entering takes.
UniqueFd owner_of(const UniqueFd& space, const Errand& errand) {
    UniqueFd owner(ioctl(space.get(), NS_GET_USERNS));  // Linux 4.9
    if (!owner) {
        errand.fail(errno, "the user namespace that has the program's");
    }
    return is_same(owner.get(), "/proc/thread-self/ns/user") ? UniqueFd() : std::move(owner);
}

Places places_of(const std::string& process, bool is_path, const Errand& errand) {
    Places places;
    if (is_path) {
        const UniqueFd mounts = errand.open(process + "/ns/mnt", O_RDONLY);
        UniqueFd root = errand.open(process + "/root", O_PATH | O_DIRECTORY);
        if (!is_same(mounts.get(), "/proc/thread-self/ns/mnt") || !is_same(root.get(), "/")) {
            places.user = owner_of(mounts, errand);
            places.root = std::move(root);
        }
        return places;
    }
    UniqueFd network = errand.open(process + "/ns/net", O_RDONLY);
    if (!is_same(network.get(), "/proc/thread-self/ns/net")) {
        places.user = owner_of(network, errand);
        places.network = std::move(network);
    }
    return places;
}

bool has_ended(int pidfd) {
    pollfd end{pidfd, POLLIN, 0};
    return pidfd >= 0 && poll(&end, 1, 0) == 1;
}

// A child that is waited for by its number alone: no SIGCHLD, and no other wait(2) takes it.
class Visitor {
public:
    Visitor(const Visit& plan, const Errand& errand) {
        sigset_t all;
        sigset_t callers;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &callers);  // handlers are the caller's
        pid_ = static_cast<pid_t>(syscall(SYS_clone, 0, 0, 0, 0, 0));
        if (pid_ == 0) {
            visit(plan);
        }
        const int error = errno;
        pthread_sigmask(SIG_SETMASK, &callers, nullptr);
        if (pid_ < 0) {
            errand.fail(error, "clone");
        }
    }
    Visitor(const Visitor&) = delete;
    Visitor& operator=(const Visitor&) = delete;
    ~Visitor() {
        kill(pid_, SIGKILL);
        while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
        }
    }

private:
    pid_t pid_ = -1;
};

// Nothing: it has died.
std::optional<VisitResult> read_result(int socket, UniqueFd& connected) {
    VisitResult result;
    detail::DescriptorMessage message(result);
    if (message.receive(socket, MSG_DONTWAIT) != sizeof result) {
        return std::nullopt;
    }
    if (const int fd = message.descriptor(); fd >= 0) {
        connected.reset(detail::above_standard_streams(fd));
    }
    return result;
}

const char* name_of(VisitStage stage) {
    switch (stage) {
        case VisitStage::user_namespace:
            return "setns: user namespace";
        case VisitStage::network_namespace:
            return "setns: network namespace";
        case VisitStage::root:
            return "chroot to the program's root";
        case VisitStage::socket:
            return "socket";
        case VisitStage::connection:
        case VisitStage::none:
            break;
    }
    return "connect";
}

UniqueFd send_visitor(Visit plan, Deadline deadline, const Errand& errand) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        errand.fail(errno, "socketpair");
    }
    const UniqueFd own(ends[0]);
    UniqueFd theirs(ends[1]);
    plan.home = theirs.get();
    plan.parent = static_cast<int>(getpid());
    const Visitor visitor(plan, errand);
    theirs.reset();
    detail::Events events(detail::readable(own.get()));
    if (detail::wait_for_any_of(events.list(), &deadline) == detail::at_the_deadline) {
        errand.fail(ETIMEDOUT, "connect");
    }
    UniqueFd connected;
    const auto result = read_result(own.get(), connected);
    if (!result) {
        errand.fail(ECHILD, "the child that was to connect has died");
    }
    if (result->error != 0) {
        errand.fail(result->error, name_of(result->stage));
    }
    if (!connected) {
        errand.fail(EMFILE, "no room for the socket");
    }
    return connected;
}

}  // namespace

UniqueFd connect_inside(const Process& process, const std::string& address,
                        std::chrono::nanoseconds within) {
    const Deadline deadline = detail::after(within);
    const SocketAddress parsed = address_of(address);
    const Errand errand(address);
    const Places places =
        places_of("/proc/" + std::to_string(process.pid()), parsed.is_path, errand);
    if (has_ended(process.pidfd())) {  // and what was opened may be another's
        errand.fail(ESRCH, "the program has ended");
    }
    const detail::CancellationHeldBack no_cancellation;
    return send_visitor({.user_namespace = places.user.get(),
                         .network_namespace = places.network.get(),
                         .root = places.root.get(),
                         .address = parsed},
                        deadline, errand);
}

}  // namespace syncspawn::sandbox
