#pragma once

#include <memory>
#include <string>

#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/planned_launch.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>

/// syncspawn::SyncedSpawner: starts a program after parent and child have set things up together.
///
///     #include <stdio.h>
///     #include <syncspawn/launcher.hpp>
///     #include <unistd.h>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "test $(pwd) = /"}});
///         spawner.step({
///             .name = "directory",
///             .child = syncspawn::shared_memory([](syncspawn::ChildSide& side) {
///                 return chdir("/") < 0 ? side.fail("chdir '/'") : side.done();
///             }),
///             .parent = [](syncspawn::ParentSide& side) { printf("%d is in /\n", side.child_pid()); },
///             .order = syncspawn::StepOrder::child_first,
///         });
///         syncspawn::SpawnError error;
///         syncspawn::Process child = spawner.spawn(error);
///         if (error) {
///             fprintf(stderr, "%s\n", error.what());  // which side, which step, which errno
///             return 1;
///         }
///         return child.wait().shell_code();
///     }
///
/// Model. posix_spawn(3) starts a child that executes the program at once. spawn() has the child wait
/// first. The child runs its parts of your steps, this process runs the others, both at the same time.
/// Where one must wait for the other, give a step an order, or add a rendezvous. At the end there always is
/// a last rendezvous, "ready to exec". The program runs only if every part on both sides has succeeded:
/// silence, a death or a closed pipe never mean "go". launcher/README.md shows the sequences.
///
/// Signal mask, signal handlers, directory, umask, environment and descriptors of this process are
/// afterwards what they were. All signals of the calling thread are blocked for a moment around the start.
/// A thread may stay for the next launch: see end_idle_threads().

namespace syncspawn {

namespace detail {
class Draft;
class Stage;
}  // namespace detail

/// Set it up in one thread; then any number of threads may launch from it at once, if your parts bear that.
///
/// A copy takes further steps of its own, but shares the parts that it was copied with, as all launches of
/// one spawner do. So what such a part has captured by value and changes (a `mutable` lambda) exists once
/// for all of them.
class SYNCSPAWN_API SyncedSpawner {
public:
    /// Starts nothing yet. Throws std::invalid_argument for options that can never work.
    explicit SyncedSpawner(SpawnOptions options);
    SyncedSpawner(SyncedSpawner&&) noexcept;
    SyncedSpawner& operator=(SyncedSpawner&&) noexcept;
    SyncedSpawner(const SyncedSpawner&);
    SyncedSpawner& operator=(const SyncedSpawner&);
    ~SyncedSpawner();

    /// Adds a step behind those that are there. Throws std::invalid_argument if it has no name or no part,
    /// or if the rules of its child part are too lax for `birth`.
    SyncedSpawner& step(Step step);
    /// Adds a point that neither side passes before the other has reached it. Throws std::invalid_argument if
    /// it has no name.
    SyncedSpawner& rendezvous(std::string name);

    /// Launches, and returns the program that runs. Call it as often as you like.
    ///
    /// Throws SpawnError if the launch fails. Then the child is gone and reaped. (The exception is one that
    /// may not be killed or does not die: see SpawnError::survivor().)
    ///
    /// No cancellation point: pthread_cancel(3) takes effect after it.
    [[nodiscard]] Process spawn() const;
    /// The same without throwing SpawnError: sets `error` and returns no process, or clears it.
    [[nodiscard]] Process spawn(SpawnError& error) const;
    /// The same for an event loop. Nothing has happened yet: Launch::advance() does it.
    [[nodiscard]] Launch launch() const;

    /// Both with a deadline for all of it, readiness included. A launch that is not over by then fails with
    /// Cause::timed_out.
    [[nodiscard]] Process spawn(Deadline deadline, SpawnError& error) const;
    [[nodiscard]] Launch launch(Deadline deadline) const;

    /// What a launch would do, side by side: draw() prints it. Starts nothing.
    [[nodiscard]] PlannedLaunch explain() const;
    /// What it was made from.
    [[nodiscard]] const SpawnOptions& options() const noexcept;
    /// One with the same steps and other options. Throws std::invalid_argument as the constructor and step()
    /// do.
    [[nodiscard]] SyncedSpawner with(SpawnOptions options) const;

    /// Ends the threads that the library keeps for the next launch, and waits for their end. Not those that a
    /// launch is using. Thread-safe. Call it
    ///  - before an unshare(2) or setns(2) that a process of several threads is refused,
    ///  - before this process gives up privileges thread by thread,
    ///  - before the first thread ends by pthread_exit(3): else the process neither ends nor hears SIGTERM,
    ///  - or to have their memory back.
    ///
    /// Where they come from: a launch with shared memory leaves a parked thread behind, four of them at
    /// most. (A bare spawn() leaves none: see StartMethod.) It has all signals blocked, and the credentials and
    /// filters of the thread that launched. Where a limit of processes is met, the
    /// library ends idle threads itself. Once there was one, a plug-in that the library is linked into
    /// stays loaded after dlclose(3).
    static void end_idle_threads() noexcept;

private:
    friend class detail::Stage;
    explicit SyncedSpawner(std::unique_ptr<detail::Draft> draft) noexcept;
    // Whether the program has run for a while when spawn() returns.
    [[nodiscard]] bool waits_for_the_program() const noexcept;
    std::unique_ptr<detail::Draft> draft_;
};

}  // namespace syncspawn
