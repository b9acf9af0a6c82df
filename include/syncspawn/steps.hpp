#pragma once

/// Ready-made steps: what a launch often sets up, each in one call.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh",
///                                           .arguments = {"-c", "test $(id -u) = 0"},
///                                           .birth = {.namespaces = syncspawn::Namespaces::user}});
///         spawner.step(syncspawn::steps::map_root());
///         return spawner.spawn().wait().shell_code();
///     }
///
/// Each of these functions returns a syncspawn::Step. Add it where you want it: steps run in the order in
/// which they were added, yours and these alike. It may be used for any number of launches. If one fails,
/// the error names the step, the call and the errno, and says what to do where the errno misleads.
///
/// This header includes them all. If you would rather pick:
///
///     steps/id_maps.hpp    who the child is inside its user namespace

#include <syncspawn/launcher/steps/id_maps.hpp>
