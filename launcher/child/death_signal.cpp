#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "child.hpp"

// The parent-death signal is that of the death of the thread that started the child: it is set only
// where that lives as long as the parent does, being inside spawn(), the parent's first, or the one for
// children that die with their parent. It tells nothing of a death before: hence the looks. In another
// pid namespace getppid is 0; there the barrier looks at the parent's pidfd, and everywhere at its pipe:
// a dying process closes that before it signals its children, and only then are they somebody else's.

namespace syncspawn::detail {
namespace {

void set_death_signal(Child& child, std::uint32_t item) noexcept {
    if (child.plan.parent.starter != Starter::stays) {
        return;
    }
    const bool is_set = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    child.has_death_signal = child.has_death_signal || is_set;
    // The setup alone can do without: its waits end with the parent, too.
    if (!is_set && child.plan.birth.die_with_parent) {
        child.fail({item, errno, "prctl(PR_SET_PDEATHSIG)"});
    }
}

// It waits for nobody, and for nothing that may take long: there is no time in which the parent's death should
// end it. That is as if the parent had died right after execve.
bool needs_no_tie(const Child& child) noexcept {
    return child.arrival.is_alone && !child.barrier.is_open() &&
           !child.plan.birth.die_with_parent && child.plan.program.working_directory == nullptr;
}

}  // namespace

void tie_to_parent(Child& child, std::uint32_t item, const ChildOperation& next) noexcept {
    if (needs_no_tie(child)) {
        return;
    }
    set_death_signal(child, item);
    const pid_t parent = child.leave_if_orphaned();
    // A rendezvous will tell soon enough whether the parent gave up. A child that is alone has none.
    if (parent == 0 || child.arrival.is_alone || next.kind != ItemKind::rendezvous) {
        child.leave_if_told_to(item);
    }
}

void settle_death_signal(Child& child, std::uint32_t item) noexcept {
    if (child.has_death_signal && !child.plan.birth.die_with_parent &&
        prctl(PR_SET_PDEATHSIG, 0) < 0) {
        child.fail({item, errno, "prctl(PR_SET_PDEATHSIG)"});
    }
}

void leave_if_parent_is_gone(Child& child, std::uint32_t item) noexcept {
    (void)child.leave_if_orphaned();
    child.leave_if_told_to(item);
}

}  // namespace syncspawn::detail
