#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/resource_usage.hpp>

/// syncspawn::RunResult: how a run ended, and what its programs wrote.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         const syncspawn::RunResult result =
///             syncspawn::run({.program = "sh", .arguments = {"-c", "echo hello; echo oops >&2; exit 3"}});
///         printf("it %s\n", result.status.to_string().c_str());  // it exited with code 3
///         printf("output: %s", result.output.c_str());           // output: hello
///         printf("error: %s", result.error.c_str());             // error: oops
///         return result.status == syncspawn::ExitStatus::exited(3) ? 0 : 1;
///     }

namespace syncspawn {

/// What ended a run: the first that came.
enum class RunEnd {
    program,       ///< the programs, by themselves
    time_limit,    ///< RunOptions::within
    output_limit,  ///< Capture::limit, with WhenFull::stop
    cancelled,     ///< Run::cancel(), or `setup.cancel_when_readable` of any program
};

/// How one program of a run ended.
struct RunStage {
    ExitStatus status{};
    /// What it wrote to its standard error, as far as that was captured and kept.
    std::string error{};
    std::uint64_t error_dropped = 0;
    /// What it has used; nothing if somebody else has reaped it.
    std::optional<ResourceUsage> usage{};
    /// What went wrong in Step::after_end parts: see Process::after_end_failures().
    std::string after_end_failures{};
    /// It could not be killed, still runs, and is still a child of yours: reap it with waitpid(2).
    std::optional<pid_t> survivor{};
};

/// A value.
struct RunResult {
    /// How the program ended. Of a pipeline: how the last one did that failed, or that all succeeded. A
    /// program before the last that SIGPIPE killed has not failed: the next one had read enough.
    ExitStatus status{};
    /// What the (last) program wrote to its standard output, as far as that was captured and kept.
    std::string output{};
    /// The same for standard error: of a pipeline, that of one program after the other.
    std::string error{};
    RunEnd end = RunEnd::program;
    /// How many bytes were read beyond Capture::limit.
    std::uint64_t output_dropped = 0;
    std::uint64_t error_dropped = 0;
    /// When the programs had ended, another process still held a captured stream open, all through
    /// RunOptions::drain. What it wrote later is not here.
    bool is_held_open = false;
    /// From the start of the launch until all was over.
    std::chrono::nanoseconds wall_time{};
    /// One for each program, in order.
    std::vector<RunStage> stages{};

    /// Whether all went well: the programs ended by themselves, and none has failed. A text may be cut all the
    /// same: see output_dropped, error_dropped and is_held_open.
    [[nodiscard]] bool success() const noexcept {
        return end == RunEnd::program && status.success();
    }
    [[nodiscard]] bool is_late() const noexcept { return end == RunEnd::time_limit; }
};

}  // namespace syncspawn
