#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "start_child.hpp"

namespace syncspawn::detail {
namespace {

// A thread that lasts would keep the namespace for as long. Where this is refused, it does: going back takes
// CAP_SYS_ADMIN where this process's pid namespace belongs to, which is more than coming here took.
void let_go() noexcept {
    const UniqueFd own(open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC));
    (void)setns(own.get(), CLONE_NEWPID);
}

}  // namespace

StartedChild start_in_pid_namespace(const Plan& plan) noexcept {
    if (setns(plan.birth.pid_namespace, CLONE_NEWPID) < 0) {
        return no_child(errno, "setns: pid namespace", KnownCall::joining_a_pid_namespace);
    }
    StartedChild child = start_with_copied_memory(plan);
    let_go();
    return child;
}

}  // namespace syncspawn::detail
