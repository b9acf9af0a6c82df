#pragma once

#include <syncspawn/launcher/step.hpp>

/// A session of its own for the program, and a terminal that controls it.
///
///     #include <fcntl.h>
///     #include <stdlib.h>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         const syncspawn::UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
///         grantpt(master.get());
///         unlockpt(master.get());
///         const syncspawn::UniqueFd terminal(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
///         const auto stream = syncspawn::Stdio::descriptor(terminal.get());
///         syncspawn::SyncedSpawner spawner({.program = "sh",
///                                           .arguments = {"-c", "test -t 0 && : < /dev/tty"},
///                                           .streams = {stream, stream, stream}});
///         spawner.step(syncspawn::steps::controlling_terminal(terminal.get()));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// To end all that runs in the session, ask for KillScope::session beside these steps.

namespace syncspawn::steps {

/// The program leads a session and a process group of its own, and has no controlling terminal (setsid(2)). If it
/// leads a session already, by KillScope::session, this does nothing. With KillScope::process_group the child
/// leaves the group that it leads and leads it again in the new session. It cannot do so in a pid namespace at
/// birth, where the step fails with EPERM.
[[nodiscard]] SYNCSPAWN_API Step new_session();

/// The same, and `terminal` controls the session: ^C there is SIGINT for the program, and /dev/tty is that
/// terminal. The descriptor is borrowed until the launch is over. It does not become a stream by itself: say so in
/// `streams`, as above. The step fails with EPERM if the terminal controls another session, your own maybe, and
/// with ENOTTY if it is none. Throws std::invalid_argument if `terminal` is negative.
[[nodiscard]] SYNCSPAWN_API Step controlling_terminal(int terminal);

}  // namespace syncspawn::steps
