#pragma once

#include <sys/resource.h>

#include <optional>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Resource limits of the program: setrlimit(2).
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "test $(ulimit -n) = 64"}});
///         spawner.step(syncspawn::steps::resource_limits({
///             {.resource = RLIMIT_NOFILE, .soft = 64, .hard = 64},
///             {.resource = RLIMIT_CORE, .soft = 0},
///         }));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The numbers are those of getrlimit(2), and RLIM_INFINITY means none.

namespace syncspawn::steps {

/// One limit. What you do not set stays as it is in the parent.
struct ResourceLimit {
    int resource = -1;  ///< RLIMIT_NOFILE, RLIMIT_CORE, ...
    /// What the program is held to. Where only `hard` is set and is lower, that is the new soft limit, too.
    std::optional<rlim_t> soft{};
    /// How far the program may raise the soft limit by itself. Raising this one takes CAP_SYS_RESOURCE.
    std::optional<rlim_t> hard{};
};

/// Sets these limits, and leaves all others alone. Throws std::invalid_argument if there is no such resource,
/// a resource is named twice, neither limit of it is set, or its soft limit is above its hard one.
///
/// Add it before a step that changes the user: afterwards the child may not raise a limit.
///
///  - RLIMIT_NOFILE is raised at once, but lowered in a last part (Step::last), since the launch itself needs
///    descriptors. So add this step before one that installs a seccomp filter, or allow prlimit64(2) there. A
///    limit below the numbers that the program gets is possible: they stay open, but it cannot open others, and
///    its dynamic loader may need one.
///  - RLIMIT_NPROC counts all processes and threads of the real user, not only those below the program. It does
///    not bind root, nor a process with CAP_SYS_RESOURCE or CAP_SYS_ADMIN. If a later step changes to a user
///    with more processes than that, execve fails with EAGAIN.
///  - RLIMIT_STACK also limits the arguments and the environment, to a quarter of it (E2BIG). With RLIMIT_AS
///    below what the program needs to be loaded, it is killed in execve, or its loader fails.
[[nodiscard]] SYNCSPAWN_API Step resource_limits(std::vector<ResourceLimit> limits);

}  // namespace syncspawn::steps
