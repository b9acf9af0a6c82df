#include "pid_namespace_hints.hpp"

#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "own_capability.hpp"

namespace syncspawn::detail {
namespace {

// The links differ after unshare(2) or setns(2).
bool has_children_in_another_pid_namespace() {
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/thread-self/ns/pid", error);
    if (error) {
        return false;
    }
    const auto childrens =
        std::filesystem::read_symlink("/proc/thread-self/ns/pid_for_children", error);
    return error || own != childrens;
}

bool is_file_of_pid_namespace(int fd) { return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWPID; }

}  // namespace

const char* hint_for_joining_a_pid_namespace(const Birth& birth, int error) {
    switch (error) {
        case EINVAL:
            return is_file_of_pid_namespace(birth.pid_namespace)
                       ? "a child can be born only into the pid namespace of this process, or into "
                         "one below that"
                       : "the descriptor is neither that of a pid namespace below this process's "
                         "own (/proc/PID/ns/pid) nor, from Linux 5.8 on, a pidfd of a process in "
                         "one";
        case EPERM:
            return has_capability(CAP_SYS_ADMIN)
                       ? "this process has CAP_SYS_ADMIN, but not in the user namespace that the "
                         "pid namespace belongs to; or a seccomp filter or a container forbids "
                         "setns(2)"
                       : "it takes CAP_SYS_ADMIN in the user namespace of this process and in the "
                         "one that the pid namespace belongs to: a process in there may launch the "
                         "program";
        case ESRCH:
            return "the process of this pidfd has ended";
        default:
            return "";
    }
}

const char* hint_for_birth_without_memory(const Birth& birth) {
    if (birth.pid_namespace >= 0) {
        return "the first process of the pid namespace has ended; or there is no memory";
    }
    return has_children_in_another_pid_namespace()
               ? "this process's children are to be in another pid namespace, and the first "
                 "process there has ended; or there is no memory"
               : "";
}

const char* hint_for_refused_thread() {
    return has_children_in_another_pid_namespace()
               ? "this process's children are to be in another pid namespace (unshare(2)), so it "
                 "can start no thread"
               : "";
}

}  // namespace syncspawn::detail
