#include <syncspawn/launcher/steps/namespaces.hpp>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "child/namespaces.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080  // Linux 5.6
#endif

namespace syncspawn::steps {
namespace {

struct Kind {
    int flag;
    const char* file;  // in /proc/PID/ns
    const char* call;  // what an error says
};
// The user namespace comes first: it gives the right to join those that belong to it.
constexpr Kind kinds[]{{CLONE_NEWUSER, "user", "setns: user namespace"},
                       {CLONE_NEWNS, "mnt", "setns: mount namespace"},
                       {CLONE_NEWCGROUP, "cgroup", "setns: cgroup namespace"},
                       {CLONE_NEWUTS, "uts", "setns: uts namespace"},
                       {CLONE_NEWIPC, "ipc", "setns: ipc namespace"},
                       {CLONE_NEWNET, "net", "setns: network namespace"},
                       {CLONE_NEWTIME, "time", "setns: time namespace"}};

struct OpenNamespace {
    UniqueFd fd;
    const Kind* kind = nullptr;
};

// What the step keeps, and what its part in the child sees of it.
struct Joined {
    std::vector<OpenNamespace> open{};
    std::vector<NamespaceToJoin> seen{};
};

[[noreturn]] void refuse_pid_namespace() {
    throw std::invalid_argument(
        "a process cannot join a pid namespace, only be born there: `birth.pid_namespace`");
}

// O_NONBLOCK, O_NOCTTY: whatever it is, a FIFO or a terminal, we look at it and are gone.
UniqueFd open_namespace(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd) {
        throw std::system_error(errno, std::generic_category(), "open '" + path + "'");
    }
    return fd;
}

const Kind* kind_of(const UniqueFd& fd, const std::string& what) {
    const int flag = ioctl(fd.get(), NS_GET_NSTYPE);  // Linux 4.11
    if (flag == CLONE_NEWPID) {
        refuse_pid_namespace();
    }
    for (const Kind& kind : kinds) {
        if (kind.flag == flag) {
            return &kind;
        }
    }
    throw std::system_error(flag < 0 ? errno : EINVAL, std::generic_category(),
                            what + " is no namespace");
}

// setns(2) into a time namespace is refused where memory is shared. Whoever owns a user namespace may trace
// those who have joined it, as soon as they are dumpable, and so write to the memory that they share.
bool needs_copied_memory(const std::vector<OpenNamespace>& namespaces) {
    return std::any_of(namespaces.begin(), namespaces.end(), [](const OpenNamespace& one) {
        return one.kind->flag == CLONE_NEWUSER || one.kind->flag == CLONE_NEWTIME;
    });
}

Step join(std::vector<OpenNamespace> namespaces) {
    const bool copies_memory = needs_copied_memory(namespaces);
    Step step{.name = "join namespaces"};
    Joined joined{.open = std::move(namespaces)};
    for (const OpenNamespace& one : joined.open) {
        step.descriptors.push_back(one.fd.get());
        joined.seen.push_back({one.fd.get(), one.kind->flag, one.kind->call});
    }
    auto enter = [joined = std::move(joined)](ChildSide& side) {
        return enter_namespaces(side, joined.seen);
    };
    step.child =
        copies_memory ? async_signal_safe(std::move(enter)) : shared_memory(std::move(enter));
    return step;
}

Step join_one(UniqueFd fd, const std::string& what) {
    std::vector<OpenNamespace> one;
    const Kind* const kind = kind_of(fd, what);
    one.push_back({std::move(fd), kind});
    return join(std::move(one));
}

}  // namespace

Step join_namespaces(pid_t process, Namespaces which) {
    if ((which & Namespaces::pid) != Namespaces::none) {
        refuse_pid_namespace();
    }
    std::vector<OpenNamespace> namespaces;
    for (const Kind& kind : kinds) {
        if ((which & static_cast<Namespaces>(kind.flag)) != Namespaces::none) {
            namespaces.push_back(
                {open_namespace("/proc/" + std::to_string(process) + "/ns/" + kind.file), &kind});
        }
    }
    if (namespaces.empty()) {
        throw std::invalid_argument("join_namespaces: there is none to join");
    }
    return join(std::move(namespaces));
}

Step join_namespace(const std::string& path) {
    return join_one(open_namespace(path), "'" + path + "'");
}

Step join_namespace(UniqueFd opened) { return join_one(std::move(opened), "the descriptor"); }

}  // namespace syncspawn::steps
