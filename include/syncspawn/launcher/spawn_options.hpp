#pragma once

#include <signal.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/birth.hpp>
#include <syncspawn/launcher/descriptors.hpp>
#include <syncspawn/launcher/ending.hpp>
#include <syncspawn/launcher/environment.hpp>

/// syncspawn::SpawnOptions: what to launch, and how.
///
///     #include <chrono>
///     #include <syncspawn/launcher.hpp>
///
///     using namespace std::chrono_literals;
///
///     int main() {
///         const syncspawn::SpawnOptions options{
///             .program = "sh",
///             .arguments = {"-c", "test $PWD = / && test $LANG = C && ! read line"},
///             .environment = syncspawn::Environment::current().set("LANG", "C"),
///             .working_directory = "/",
///             .streams = {.input = syncspawn::Stdio::null()},
///             .setup = {.within = 60s},
///         };
///         return syncspawn::SyncedSpawner(options).spawn().wait().shell_code();
///     }
///
/// Only the program has no default. Name the members in the order in which they are declared:
///
///     program, program_search, arguments, argument_zero, environment, working_directory
///     .streams      standard input, output and error          <syncspawn/launcher/descriptors.hpp>
///     .descriptors  what it gets beside those                 <syncspawn/launcher/descriptors.hpp>
///     .birth        namespaces, cgroup, way of starting       <syncspawn/launcher/birth.hpp>
///     .signals      what it ignores and blocks                below
///     .setup        how long the launch may take              below
///     .readiness    whether to wait until it says "ready"     below
///     .ending       how it is made to end                     <syncspawn/launcher/ending.hpp>

namespace syncspawn {

/// Where a program without a '/' in its name is looked for.
enum class ProgramSearch {
    path,  ///< in the directories of PATH
    none,  ///< nowhere: the name is a path, as for execve(2)
};

/// What becomes of the signals that this process ignores.
enum class IgnoredSignals {
    keep,   ///< the program ignores them, too, as after any execve(2)
    reset,  ///< the program starts with every signal at its default
};

/// Whether the program gets the barrier.
enum class HandOver {
    nothing,  ///< no: the barrier ends at execve
    barrier,  ///< yes: the program may attach() to it, and this process uses Process::barrier()
};

/// The signals that the program starts with.
struct Signals {
    IgnoredSignals ignored = IgnoredSignals::keep;
    /// The signals that it blocks; not set: those that the thread which calls spawn() blocks.
    std::optional<sigset_t> mask{};
};

/// How long the launch may take until execve, and what ends it early.
struct Setup {
    /// From the start (or Step::before_start) to execve; not set: as long as it takes. When the time is up, no wait goes on and no
    /// further part of the parent begins: the launch fails, unless the child has reached its execve. A part
    /// of the parent that is running is not interrupted. Parts behind execve (Step::after_execve) must be
    /// done in that time, too.
    ///
    /// The end of a failed launch comes on top: abort_grace, and then the time until the killed child is
    /// gone. One that is still there five seconds after SIGKILL is left behind (SpawnError::survivor()); the
    /// freezer of cgroup v1, or a call that nothing interrupts, may hold it.
    std::optional<std::chrono::nanoseconds> within{};
    /// Cancels the launch (Cause::cancelled) once this descriptor is readable: an eventfd, a signalfd.
    /// Nothing is read from it. Every wait looks at it, also that for readiness; parts are not interrupted.
    /// Borrowed; -1: none.
    int cancel_when_readable = -1;
    /// How long the child of a failed launch may take to end by itself, before SIGKILL.
    std::chrono::nanoseconds abort_grace = std::chrono::milliseconds(100);
};

/// Whether the program gets the barrier, and whether spawn() waits until it says that it is ready.
struct Readiness {
    HandOver hand_over = HandOver::nothing;
    /// If set, spawn() returns when the program has said "ready": it attaches to the barrier and calls
    /// place_and_sync(), or runs `syncspawn barrier place-and-sync`. The barrier is then handed over,
    /// whatever `hand_over` says. The time counts from execve; when it is up, the program is ended and the
    /// launch fails.
    ///
    /// What the program writes to a Stdio::pipe() before it is ready, nobody reads yet. So the pipe grows, up
    /// to 1 MiB as a rule (/proc/sys/fs/pipe-max-size). If it is full then, and still after a second, the
    /// launch fails with ENOBUFS. run() reads meanwhile; to do so yourself, take your end out, in a part of the
    /// parent (ParentSide::take_standard_output()) or from the Launch.
    std::optional<std::chrono::nanoseconds> within{};
};

/// An aggregate. SyncedSpawner throws std::invalid_argument for what can never work: a NUL in a string, a
/// negative duration, the same number for two descriptors. Descriptors in here are borrowed: keep them open
/// until spawn() has returned, or the Launch is over.
struct SpawnOptions {
    /// With a '/': a path, as the child sees it once its parts and `working_directory` have settled its root
    /// and its directory. Without: a name, which is looked up in the PATH of `environment`, or in the C
    /// library's default path if that has none.
    ///
    /// The search is that of execvp(3), with two differences. A file without a known format is an error,
    /// not a shell script, and so is a script whose interpreter is missing: the search ends there. An entry
    /// of PATH that cannot be followed (ENAMETOOLONG, ELOOP, ESTALE ...) is passed over.
    std::string program;
    ProgramSearch program_search = ProgramSearch::path;
    /// Those after the zeroth.
    std::vector<std::string> arguments{};
    /// The zeroth argument; not set: `program`.
    std::optional<std::string> argument_zero{};
    Environment environment = Environment::current();
    /// Entered after all steps. Empty: where the child is, which is the parent's directory unless a part has
    /// changed it.
    std::string working_directory{};

    Streams streams{};
    Descriptors descriptors{};
    Birth birth{};
    Signals signals{};
    Setup setup{};
    Readiness readiness{};
    Ending ending{};
};

}  // namespace syncspawn
