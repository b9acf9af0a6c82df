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

/// What to launch: one aggregate, every member with a default but the program.
///
///     syncspawn::SpawnOptions options{
///         .program = "server",
///         .arguments = {"--port", "8080"},
///         .streams = {.input = syncspawn::Stdio::null()},
///         .readiness = {.within = std::chrono::seconds(5)},
///     };
///
/// What belongs together is one group: streams, descriptors, birth, signals, setup, readiness, ending.

namespace syncspawn {

/// What a program without a '/' means.
enum class ProgramSearch {
    path,  ///< a name that is looked up
    none,  ///< a path all the same, as with execve(2)
};

/// What happens to signals that the parent ignores.
enum class IgnoredSignals {
    keep,   ///< they stay ignored, as after any execve
    reset,  ///< every signal is at its default
};

/// What the program gets of the barrier.
enum class HandOver {
    nothing,  ///< the barrier ends at execve
    barrier,  ///< the program may attach() to it; see Process::barrier()
};

/// The signals of the program.
struct Signals {
    IgnoredSignals ignored = IgnoredSignals::keep;
    /// Its signal mask; that of the thread which calls spawn() if not set.
    std::optional<sigset_t> mask{};
};

/// How long the launch may take until execve, and what ends it early.
struct Setup {
    /// From the start to execve; no limit if not set. Beyond it no part of the parent begins, no wait goes
    /// on, and the launch fails, unless the child is at its execve already. The end of a failed launch
    /// comes on top: abort_grace, and until the killed child has ended. Five seconds after that it is left
    /// behind (SpawnError::survivor()): the freezer of cgroup v1 or a call that nothing interrupts may hold it.
    std::optional<std::chrono::nanoseconds> within{};
    /// A descriptor that ends the launch as `cancelled` once it is readable (a signalfd, an eventfd);
    /// nothing is read from it. Looked at in every wait, also in that for readiness, not within a part.
    /// Borrowed. -1: none.
    int cancel_when_readable = -1;
    /// How long the other side of a failed launch may take to end by itself before SIGKILL.
    std::chrono::nanoseconds abort_grace = std::chrono::milliseconds(100);
};

/// What the program gets of the barrier, and whether spawn() waits until it is ready.
struct Readiness {
    HandOver hand_over = HandOver::nothing;
    /// If set, the barrier is handed over and spawn() returns only when the program has placed on
    /// it; if that takes longer (from execve on), the program is ended and the launch fails.
    std::optional<std::chrono::nanoseconds> within{};
};

struct SpawnOptions {
    /// With a '/': a path, relative to the child's final root and directory. Without: looked up in
    /// the PATH of `environment` (the C library's default path if that has none), as execvp(3) does,
    /// but a file without a known format is an error, not a shell script, and so is one whose
    /// interpreter is missing: the search ends there. An entry of PATH that cannot be followed
    /// (ENAMETOOLONG, ELOOP, ESTALE ...) is passed over.
    std::string program;
    ProgramSearch program_search = ProgramSearch::path;
    /// Without the zeroth.
    std::vector<std::string> arguments{};
    /// The zeroth argument; `program` if not set.
    std::optional<std::string> argument_zero{};
    Environment environment = Environment::current();
    /// Entered after all steps; empty: the parent's.
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
