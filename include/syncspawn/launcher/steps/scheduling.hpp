#pragma once

#include <vector>

#include <syncspawn/launcher/step.hpp>

/// When and where the program runs: nice value, scheduling policy, CPUs.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "test $(nice) = 19"}});
///         spawner.step(syncspawn::steps::nice(19));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// All three concern the child alone, which inherits the calling thread's otherwise (or, with
/// `ending.die_with_parent`, that of the thread that starts such children).

namespace syncspawn::steps {

/// The nice value is `value` then, from -20 (most of the CPU) to 19; it is not added to the present one. A lower
/// one than now takes CAP_SYS_NICE or RLIMIT_NICE. Throws std::invalid_argument for any other value.
[[nodiscard]] SYNCSPAWN_API Step nice(int value);

/// SCHED_OTHER, SCHED_BATCH or SCHED_IDLE with priority 0, or SCHED_FIFO or SCHED_RR with 1 to 99: see sched(7).
/// Add `| SCHED_RESET_ON_FORK` so that what the program starts does not inherit it. A real-time policy takes
/// CAP_SYS_NICE or RLIMIT_RTPRIO, and holds from this step on. Throws std::invalid_argument for any other
/// combination.
[[nodiscard]] SYNCSPAWN_API Step scheduling_policy(int policy, int priority = 0);

/// The program runs on these CPUs alone. Their numbers are those of /proc/cpuinfo. The kernel leaves out those
/// that are not there, or that the cpuset forbids; if none is left, the step fails with EINVAL. Throws
/// std::invalid_argument for no CPU at all, or a number that no kernel has.
[[nodiscard]] SYNCSPAWN_API Step cpu_affinity(const std::vector<int>& cpus);

}  // namespace syncspawn::steps
