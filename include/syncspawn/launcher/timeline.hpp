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

/// What an event is about.
enum class TimelineSubject {
    start,              ///< of the child
    step,               ///< a part of a step, wherever it runs
    rendezvous,         ///< the two sides meet, or one waits for the other
    working_directory,  ///< the child enters it
    execve,             ///< the child executes the program, or the parent sees that it did
    readiness,          ///< the program says that it is ready
};

/// Which moment of it an event is.
enum class TimelineMoment {
    begin,  ///< the side begins, or comes to the rendezvous
    wait,   ///< a part of the parent is not done, and will be called again
    end,    ///< the part has succeeded, or the side goes on behind the rendezvous
};

/// One thing that one side did. Each subject has a `begin`, an `end` or both.
struct TimelineEvent {
    /// Since the launch began, by the monotonic clock. The child's own clock is taken into account where it
    /// differs (time_namespaces(7)).
    std::chrono::nanoseconds at{};
    WhichSide side = WhichSide::parent;
    std::string what{};  ///< for people to read: the words may change from version to version
    TimelineSubject subject = TimelineSubject::step;  ///< this and the rest are for programs
    TimelineMoment moment = TimelineMoment::begin;
    std::string name{};  ///< of the step, the rendezvous or the call, as SpawnError::step() has it
};

/// The events of both sides, earliest first.
using Timeline = std::vector<TimelineEvent>;

/// Draws a timeline as text: milliseconds, the parent's column, the child's column. One event a line, each
/// ended by a newline. May throw std::bad_alloc.
[[nodiscard]] SYNCSPAWN_API std::string draw(const Timeline& timeline);

}  // namespace syncspawn
