#pragma once

#include <linux/sched.h>

#include <csignal>
#include <cstdint>

#include "launcher/child/plan.hpp"

namespace syncspawn::detail {

// What every clone3 of ours asks for: a pidfd, SIGCHLD at the end, and the namespaces and the cgroup of
// the plan, which need not be joined later then.
inline clone_args birth_of(const BirthPlan& plan, int& pidfd) noexcept {
    clone_args arguments{};
    arguments.flags = CLONE_PIDFD | std::uint64_t{plan.namespaces};
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    arguments.exit_signal = SIGCHLD;
    if (plan.cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<unsigned>(plan.cgroup);
    }
    return arguments;
}

// What a failure of that clone3 is told as.
inline KnownCall call_of(const BirthPlan& plan) noexcept {
    return plan.cgroup >= 0 ? KnownCall::birth_in_cgroup : KnownCall::birth;
}

}  // namespace syncspawn::detail
