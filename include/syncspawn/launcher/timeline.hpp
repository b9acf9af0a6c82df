#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <syncspawn/launcher/spawn_error.hpp>

/// syncspawn::Timeline: what parent and child did during a launch, and when.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "true"});
///         spawner.step({.name = "limits", .parent = [](syncspawn::ParentSide&) {}});
///         syncspawn::Process child = spawner.spawn();
///         std::fputs(syncspawn::draw(child.timeline()).c_str(), stdout);
///         return child.wait().shell_code();
///     }
///
/// It prints something like
///
///             ms  parent                   | child
///          0.027  starts the child         |
///          0.499  limits ...               |
///          0.503  limits: done             |
///          0.503  waits at [ready to exec] |
///          0.524                           | started
///          0.533                           | waits at [ready to exec]
///          0.550                           | passes [ready to exec]
///          0.550                           | execve 'true'
///          0.563  passes [ready to exec]   |
///          1.364  sees the program run     |
///
/// Every launch has one. Ask Process::timeline() for that of a program that runs, and SpawnError::timeline()
/// for that of a launch that failed, whose last lines tell what each side did just before.

namespace syncspawn {

/// One thing that one side did.
struct TimelineEvent {
    /// Since the launch began, by the monotonic clock. The child's own clock is taken into account where it
    /// differs (time_namespaces(7)).
    std::chrono::nanoseconds at{};
    WhichSide side = WhichSide::parent;
    std::string what{};  ///< for people to read: the words may change from version to version
};

/// The events of both sides, earliest first.
using Timeline = std::vector<TimelineEvent>;

/// Draws a timeline as text: milliseconds, the parent's column, the child's column. One event a line, each
/// ended by a newline. May throw std::bad_alloc.
[[nodiscard]] SYNCSPAWN_API std::string draw(const Timeline& timeline);

}  // namespace syncspawn
