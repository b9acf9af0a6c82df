#pragma once

/// Start a program, and let parent and child set things up together before it runs.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "true"});
///         spawner.step({.name = "greeting", .parent = [](syncspawn::ParentSide& side) {
///                           std::printf("%d waits for me\n", side.child_pid());
///                       }});
///         return spawner.spawn().wait().shell_code();
///     }
///
/// This header includes the whole layer but for the ready-made steps, which are in <syncspawn/steps.hpp>.
/// If you would rather pick:
///
///     synced_spawner.hpp   what you begin with: it launches
///     spawn_options.hpp    the program, its streams, environment, namespaces, deadlines
///     step.hpp             what parent and child do before the program runs
///     child_side.hpp       what your code may do in the child
///     parent_side.hpp      how your code in the parent waits
///     process.hpp          the running program: wait for it, end it
///     process_set.hpp      many of them: wait for the first that ends
///     resource_usage.hpp   what a program has used
///     spawn_error.hpp      why a launch failed
///     launch.hpp           a launch for your own event loop
///     launch_wait.hpp      what it waits for
///     run.hpp              start, input, output, time limit and end in one call; pipelines
///     pty.hpp              a terminal of its own for the program
///     raw_terminal.hpp     your terminal in raw mode, and back
///     terminal_relay.hpp   what passes between the two
///     timeline.hpp         who did what, and when
///     planned_launch.hpp   who will do what

#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/launch_wait.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/process_set.hpp>
#include <syncspawn/launcher/pty.hpp>
#include <syncspawn/launcher/raw_terminal.hpp>
#include <syncspawn/launcher/run.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>
#include <syncspawn/launcher/terminal_relay.hpp>
