#pragma once

#include <syncspawn/launcher.hpp>

namespace syncspawn::tools {

// Of socket activation (sd_listen_fds(3)): LISTEN_PID names the process that LISTEN_FDS are for. If that is this
// one, it names the program instead. Call it when the environment is settled. Throws UsageError where the program is
// given the barrier, too.
void pass_on_listen_pid(SyncedSpawner& spawner);

}  // namespace syncspawn::tools
