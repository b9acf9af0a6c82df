#pragma once

#include <memory>
#include <string>

#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>

/// syncspawn::SyncedSpawner: starts a program behind a barrier.
///
///     syncspawn::SyncedSpawner spawner(
///         {.program = "id", .birth = {.namespaces = syncspawn::Namespaces::user}});
///     spawner.step({.name = "uid map",
///                   .parent = [](syncspawn::ParentSide& side) { write_map(side.child_pid()); }});
///     syncspawn::Process child = spawner.spawn();  // throws SpawnError
///     return child.wait().shell_code();
///
/// Model. spawn() starts a child, runs the child parts of the steps there and the parent parts here,
/// at the same time, and keeps the two in step at each rendezvous. The last rendezvous, "ready to
/// exec", always exists: the program runs only if every part on both sides succeeded. Silence, a
/// death or a closed pipe never mean "go". launcher/README.md shows the sequences.
///
/// Copies. A copy takes further steps of its own, but shares the parts of those that it was copied with,
/// as all launches of one spawner do: what such a part captured by value and changes (a `mutable` lambda)
/// is there once for all of them.
///
/// The caller's signal mask, dispositions, directory, umask, environment and descriptors are
/// afterwards what they were. During spawn() all signals of the calling thread are blocked for a
/// moment around the start.

namespace syncspawn {

namespace detail {
class Draft;
}

class SYNCSPAWN_API SyncedSpawner {
public:
    /// Throws std::invalid_argument for options that can never work.
    explicit SyncedSpawner(SpawnOptions options);
    SyncedSpawner(SyncedSpawner&&) noexcept;
    SyncedSpawner& operator=(SyncedSpawner&&) noexcept;
    SyncedSpawner(const SyncedSpawner&);
    SyncedSpawner& operator=(const SyncedSpawner&);
    ~SyncedSpawner();

    /// Adds a step. Throws std::invalid_argument if it has no name or no part, or if its child part
    /// does not obey the rules that the options ask for.
    SyncedSpawner& step(Step step);
    /// Adds a point that neither side passes before the other has reached it.
    SyncedSpawner& rendezvous(std::string name);

    /// Launches. May be called any number of times, also by several threads at once if the parts
    /// allow it. Throws SpawnError; when it does, the child is gone and reaped, unless the program ran
    /// already, has become another user and may not be killed (the error says so then). No cancellation
    /// point: pthread_cancel(3) waits until it returns.
    [[nodiscard]] Process spawn() const;
    /// The same without throwing SpawnError: sets `error` and returns no process, or clears it.
    [[nodiscard]] Process spawn(SpawnError& error) const;
    /// The same launch for an event loop: nothing has happened yet, Launch::advance() does it.
    [[nodiscard]] Launch launch() const;

    /// A launch with shared memory leaves a parked thread behind for the next one (4 at most), with all
    /// signals blocked and the credentials and filters of the thread that launched, unless the parent had
    /// nothing to do in it: see StartMethod. Where a limit of processes is met, the library ends idle
    /// threads itself. The plug-in that it is linked into stays loaded then (dlclose(3)). This ends those
    /// that no launch is using, and waits for their end: before an unshare(2) or setns(2) that a process
    /// of several threads is refused; before a process gives up privileges thread by thread; before
    /// the first thread ends by pthread_exit(3), which leaves a process that neither ends nor hears
    /// SIGTERM; or to have their memory back. Thread-safe.
    static void end_idle_threads() noexcept;

private:
    std::unique_ptr<detail::Draft> draft_;
};

}  // namespace syncspawn
