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
///     launcher/steps/id_maps.hpp                who the child is inside its user namespace
///     launcher/steps/identity.hpp               which user and groups the program runs as
///     launcher/steps/namespaces.hpp             namespaces that are there already
///     launcher/steps/process_attributes.hpp     umask, no new privileges, oom score, parent-death signal
///     launcher/steps/resource_limits.hpp        limits of open files, processes, memory ...
///     launcher/steps/scheduling.hpp             nice value, scheduling policy, CPUs
///     launcher/steps/session.hpp                a session of its own, a controlling terminal

#include <syncspawn/launcher/steps/id_maps.hpp>
#include <syncspawn/launcher/steps/identity.hpp>
#include <syncspawn/launcher/steps/namespaces.hpp>
#include <syncspawn/launcher/steps/process_attributes.hpp>
#include <syncspawn/launcher/steps/resource_limits.hpp>
#include <syncspawn/launcher/steps/scheduling.hpp>
#include <syncspawn/launcher/steps/session.hpp>
