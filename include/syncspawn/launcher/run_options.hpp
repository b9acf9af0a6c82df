#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <syncspawn/launcher/ending.hpp>

/// syncspawn::RunOptions: what a run reads and writes, and how long it may take.
///
///     #include <chrono>
///     #include <cstdio>
///     #include <string_view>
///     #include <syncspawn/launcher.hpp>
///
///     using namespace std::chrono_literals;
///
///     int main() {
///         const auto show = [](std::string_view text) { fwrite(text.data(), 1, text.size(), stdout); };
///         const syncspawn::RunResult result = syncspawn::run(
///             {.program = "sh", .arguments = {"-c", "echo one; sleep 0.1; echo two"}},
///             {.within = 10s, .output = {.limit = 0, .receive = show}});  // shown as it comes, not kept
///         return result.success() ? 0 : 1;
///     }
///
/// Which streams a run takes part in is said by SpawnOptions::streams:
///
///     left at inherit, or pipe()   output and error are captured; the input comes from RunOptions::input,
///                                  and without one is /dev/null: a run does not eat its caller's input
///     anything else                stays as it is: null(), a file, descriptor(0) for the caller's own ...

namespace syncspawn {

class Process;

/// What becomes of a stream of the program that is captured.
struct Capture {
    /// How many bytes are kept, in memory.
    std::size_t limit = std::size_t{64} << 20;
    /// Which are kept, if there are more.
    enum class Keep { beginning, end } keep = Keep::beginning;
    /// What happens when there are more. Either way the others are counted (RunResult::output_dropped).
    enum class WhenFull {
        discard,  ///< they are dropped, and nothing else: the stream is read to its end
        stop,  ///< the program is made to end: RunEnd::output_limit, also if it has just done so itself
    } when_full = WhenFull::discard;
    /// Called with all bytes as they come, kept or not, by the thread that runs. While it works, nothing is
    /// read, and the program may have to wait. An exception ends the run, and run() throws it then.
    std::function<void(std::string_view)> receive{};
};

/// An aggregate, to be filled by name, in this order.
struct RunOptions {
    /// The program's input, piece by piece: called whenever the program takes more, until it returns an
    /// empty piece. Then the program reads the end of its input. A program that stops reading is no error:
    /// nothing more is asked for. Like `receive`, it is called by the thread that runs, and may throw.
    ///
    /// For a text that is there already, `streams.input = Stdio::text(...)` is simpler.
    std::function<std::string()> input{};

    /// Called once with each program that runs, behind execve and readiness, and before its end is waited for:
    /// to ask the kernel about it, or to tell others its pid. Those of a pipeline come in their order.
    ///
    ///     {.launched = [&](const Process& program) { report = sandbox.enforcement(program); }}
    ///
    /// Like `receive`, it is called by the thread that runs (for async_run(), on the executor), and may throw.
    /// The Process is the run's: do not keep a reference. If the launch fails, or the run is to end before the
    /// program runs, it is not called.
    ///
    /// The program does not wait for it, and may have ended. It is not reaped yet, so its pid is nobody else's;
    /// but of a zombie the kernel shows little. One that first reads its input is still there: `input` is
    /// not asked for before this has returned. (With `readiness.within` it is, for the program may need it.)
    std::function<void(const Process&)> launched{};

    /// How long the run may take, from the start of the launch; not set: as long as it takes. If the program
    /// does not run yet (or is not ready yet) by then, the launch fails with Cause::timed_out. Else it is
    /// made to end: RunEnd::time_limit. The end comes on top: `stop`, and `drain`.
    std::optional<std::chrono::nanoseconds> within{};
    /// How a program that must end is made to: signals go to its `ending.scope`. One that is left after the
    /// last action gets SIGKILL in any case. One that even this does not end within five seconds is left
    /// behind (RunStage::survivor). An action other than SIGKILL must have a limit, or it is
    /// std::invalid_argument.
    StopActions stop{Stop::kill()};

    Capture output{};
    Capture error{};  ///< of each program of a pipeline

    /// When the programs have ended, their output is read to its end. How long to wait for that end, if
    /// another process still holds the stream open (a daemon that was started, say). Once the run is
    /// cancelled, it is 100 ms at most.
    std::chrono::nanoseconds drain = std::chrono::milliseconds(100);
};

}  // namespace syncspawn
