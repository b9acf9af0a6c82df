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

// A child that shares memory tells of its end by no signal, and nobody waits for it by chance, until its execve makes
// it a child like any other: de_thread() in the kernel. So a look tells whether it has executed anything.
inline clone_args birth_with_shared_memory(const BirthPlan& plan, int& pidfd) noexcept {
    clone_args arguments = birth_of(plan, pidfd);
    arguments.exit_signal = 0;
    return arguments;
}

// What a failure of that clone3 is told as.
inline KnownCall call_of(const BirthPlan& plan) noexcept {
    return plan.cgroup >= 0 ? KnownCall::birth_in_cgroup : KnownCall::birth;
}

}  // namespace syncspawn::detail
