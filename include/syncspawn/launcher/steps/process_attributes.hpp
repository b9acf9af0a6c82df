#pragma once

#include <sys/types.h>

#include <syncspawn/launcher/step.hpp>

/// Attributes of the program's process: umask, no-new-privileges, oom score, the signal of its parent's death.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         namespace steps = syncspawn::steps;
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "test $(umask) = 0077"}});
///         spawner.step(steps::umask(0077));
///         spawner.step(steps::no_new_privileges());
///         spawner.step(steps::oom_score_adj(500));  // killed before this process when memory runs out
///         return spawner.spawn().wait().shell_code();
///     }

namespace syncspawn::steps {

/// The permissions that files do not get when the program, or a later step in the child, makes them: umask(2).
/// What the options open for its streams is opened by the parent, with the parent's. Throws
/// std::invalid_argument if it is not within 0777.
[[nodiscard]] SYNCSPAWN_API Step umask(mode_t mask);

/// No execve(2) gives the program, or what it starts, more privileges than it has: set-user-ID bits and file
/// capabilities do nothing. It cannot be taken back. See PR_SET_NO_NEW_PRIVS(2const).
[[nodiscard]] SYNCSPAWN_API Step no_new_privileges();

/// How much the program is preferred as a victim when memory runs out: -1000 (never) to 1000; see
/// proc_pid_oom_score_adj(5). Lowering it takes CAP_SYS_RESOURCE. Throws std::invalid_argument for any other
/// number.
///
/// The parent writes it through /proc once the program runs (Step::after_execve), for until then the score may be
/// the parent's own. So for a moment the program has the old score, and passes that on to what it starts in
/// that moment. If it has ended before, nothing is written, and the step succeeds.
///
/// The step fails with EACCES where this process may not write the program's files in /proc: an ordinary user's
/// that executes a set-user-ID program, or one that he may not read.
[[nodiscard]] SYNCSPAWN_API Step oom_score_adj(int score);

/// `signal` instead of SIGKILL when this process ends. It takes `ending.die_with_parent`, which sees to it that
/// the end of the process counts, and not that of the thread that called spawn(); without that the step fails
/// with EINVAL. Throws std::invalid_argument if there is no such signal.
///
/// SIGKILL holds until right before execve (this is a last part: Step::last, and wants prctl(2)), so a child that
/// is not the program yet dies in any case. From then on the signal is one like any other: the program may
/// handle or block it. The kernel clears it when the program executes a set-user-ID file.
[[nodiscard]] SYNCSPAWN_API Step parent_death_signal(int signal);

}  // namespace syncspawn::steps
