#include "scheduling.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

// By bare system calls: musl has no sched_setscheduler(3).

namespace syncspawn::steps {

std::error_code set_nice(ChildSide& side, int value) noexcept {
    if (syscall(SYS_setpriority, PRIO_PROCESS, 0, value) == 0) {
        return side.done();
    }
    return side.fail(errno == EACCES
                         ? "setpriority: a lower nice value takes CAP_SYS_NICE or RLIMIT_NICE"
                         : "setpriority");
}

std::error_code set_policy(ChildSide& side, int policy, int priority) noexcept {
    // The kernel's struct sched_param.
    if (syscall(SYS_sched_setscheduler, 0, policy, &priority) == 0) {
        return side.done();
    }
    return side.fail(
        errno == EPERM
            ? "sched_setscheduler: this policy takes CAP_SYS_NICE, RLIMIT_RTPRIO or RLIMIT_NICE"
            : "sched_setscheduler");
}

std::error_code set_affinity(ChildSide& side, std::span<const unsigned long> cpus) noexcept {
    if (syscall(SYS_sched_setaffinity, 0, cpus.size_bytes(), cpus.data()) == 0) {
        return side.done();
    }
    return side.fail(
        errno == EINVAL ? "sched_setaffinity: none of the CPUs is there, or the cpuset forbids them"
                        : "sched_setaffinity");
}

}  // namespace syncspawn::steps
