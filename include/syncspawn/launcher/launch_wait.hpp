#pragma once

#include <chrono>
#include <string>

#include <syncspawn/launcher/side.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

/// syncspawn::LaunchWait: what a launch waits for at the moment.
///
///     #include <cstdio>
///     #include <poll.h>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         const syncspawn::SyncedSpawner spawner({.program = "true"});
///         syncspawn::Launch launch = spawner.launch();
///         while (!launch.advance()) {
///             pollfd loop{launch.descriptor(), POLLIN, 0};
///             if (poll(&loop, 1, 500) == 0) {
///                 std::printf("still waiting for '%s'\n", launch.waits_for().step.c_str());
///             }
///         }
///         return launch.take_process().wait().shell_code();
///     }

namespace syncspawn {

/// The step that the parent is in, or that of the child where the parent waits for the child.
struct LaunchWait {
    /// In Stage::readiness the program runs, and is not ready yet. Stage::none: the launch has not begun, is over,
    /// or has failed and waits for the end of its child.
    Stage stage = Stage::none;
    WhichSide side = WhichSide::parent;
    /// As SpawnError::step() would call it: "uid map", "execve 'make'", "ready".
    std::string step{};
    std::chrono::nanoseconds since{};  ///< for so long already
};

}  // namespace syncspawn
