#pragma once

#include <memory>
#include <vector>

#include <syncspawn/launcher/run_options.hpp>
#include <syncspawn/launcher/run_result.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

/// syncspawn::run(): starts a program, reads what it writes, waits for its end. In one call.
///
///     #include <chrono>
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     using namespace std::chrono_literals;
///
///     int main() {
///         const syncspawn::RunResult result =
///             syncspawn::run({.program = "uname", .arguments = {"-s"}}, {.within = 10s});
///         printf("%s", result.output.c_str());  // Linux
///         return result.success() ? 0 : 1;
///     }
///
/// And a pipeline, `yes | head -2`:
///
///     syncspawn::run_pipeline({{.program = "yes"}, {.program = "head", .arguments = {"-2"}}}).output;  // y y
///
/// Model. A run is over when its programs have ended and what they wrote was read. No order of reading and
/// writing makes it hang, a time limit ends it whatever the program does, and no output makes it run out of
/// memory. The programs run as in any launch, with all that SpawnOptions say and the steps of a SyncedSpawner.
///
/// The end of a run is the end of its processes, as far as `ending.scope` reaches: what is left there when
/// the output was read gets SIGKILL. So with KillScope::process_group nothing in the group outlives the run;
/// with KillScope::process what the program has started lives on.
///
/// The run reads and writes its streams itself, so your parts must leave those where they are
/// (ParentSide::take_standard_output()).
///
/// In a pipeline each program's output is the next one's input, so those two streams must be left at inherit
/// or pipe(); std::invalid_argument otherwise. An error stream that is same_as_output() goes down the pipe,
/// too. If one of the launches fails, the other programs are ended, and the error is that of the first that
/// failed.

namespace syncspawn {

namespace detail {
class RunEngine;
}

/// Runs one program. Throws SpawnError if it cannot be launched, and whatever your callbacks throw: then all
/// is ended and reaped. (So it is when a callback calls pthread_exit(3).) How the program ends is no error:
/// look at RunResult. No cancellation point.
[[nodiscard]] SYNCSPAWN_API RunResult run(const SyncedSpawner& spawner,
                                          const RunOptions& options = {});
[[nodiscard]] SYNCSPAWN_API RunResult run(const SpawnOptions& program,
                                          const RunOptions& options = {});
/// The same without throwing SpawnError: sets `error` and returns an empty result, or clears it.
[[nodiscard]] SYNCSPAWN_API RunResult run(const SyncedSpawner& spawner, const RunOptions& options,
                                          SpawnError& error);
[[nodiscard]] SYNCSPAWN_API RunResult run(const SpawnOptions& program, const RunOptions& options,
                                          SpawnError& error);

/// Both for a pipeline, first program first. Throws std::invalid_argument if it is empty.
[[nodiscard]] SYNCSPAWN_API RunResult run_pipeline(const std::vector<SyncedSpawner>& programs,
                                                   const RunOptions& options = {});
[[nodiscard]] SYNCSPAWN_API RunResult run_pipeline(const std::vector<SpawnOptions>& programs,
                                                   const RunOptions& options = {});
[[nodiscard]] SYNCSPAWN_API RunResult run_pipeline(const std::vector<SyncedSpawner>& programs,
                                                   const RunOptions& options, SpawnError& error);
[[nodiscard]] SYNCSPAWN_API RunResult run_pipeline(const std::vector<SpawnOptions>& programs,
                                                   const RunOptions& options, SpawnError& error);

/// A run in your event loop, so that no thread waits for it. It has the shape of a Launch:
///
///     syncspawn::Run run(syncspawn::SyncedSpawner({.program = "uname"}));  // nothing has happened yet
///     while (!run.advance()) {
///         pollfd loop{run.descriptor(), POLLIN, 0};  // or epoll, libuv, GLib ...
///         poll(&loop, 1, -1);
///     }
///     puts(run.take_result().output.c_str());
///
/// Move-only. Use one object in one thread at a time; your callbacks are called within advance(). Any number
/// may be under way in one loop. A default-constructed or moved-from Run is empty: you may destroy it, assign
/// to it or test it; anything else throws std::logic_error. So does everything but the destructor in the copy
/// of a Run that fork(2) makes.
class SYNCSPAWN_API Run {
public:
    /// An empty one.
    Run() noexcept;
    /// Starts nothing yet. The spawner is copied. Throws std::invalid_argument for options that can never
    /// work.
    explicit Run(const SyncedSpawner& spawner, RunOptions options = {});
    explicit Run(const std::vector<SyncedSpawner>& pipeline, RunOptions options = {});
    Run(Run&&) noexcept;
    Run& operator=(Run&&) noexcept;
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    /// Kills and reaps what still runs, and waits for that; to avoid it, cancel() and advance(). A callback
    /// of its own may do this, too: it is the last one that is called, and the rest happens before that
    /// advance() returns. In a copy that fork(2) made it just closes descriptors.
    ~Run();
    explicit operator bool() const noexcept { return engine_ != nullptr; }

    /// Goes on as far as it can without waiting. True once the run is over, for better or worse. The first
    /// call starts the programs. May throw std::bad_alloc.
    bool advance();
    /// Readable (poll(2)) when advance() has something to do, also when a deadline has passed. Borrowed; the
    /// same from the first advance() until the run is over, else -1.
    [[nodiscard]] int descriptor() const;
    /// Makes the programs end, without waiting: the next calls of advance() do that, as RunOptions::stop
    /// says. The result has RunEnd::cancelled, or, where a program does not run yet (or is not ready yet), the
    /// launch fails with Cause::cancelled. If the programs have ended and only their output is still read,
    /// that ends; else `drain` is 100 ms at most from then on. Does nothing if the run is over.
    void cancel();
    /// The result; or throws SpawnError if a launch failed, and what a callback has thrown. Call it once,
    /// when the run is over; else it throws std::logic_error.
    [[nodiscard]] RunResult take_result();
    /// The same without throwing SpawnError: sets `error` and returns an empty result, or clears it.
    [[nodiscard]] RunResult take_result(SpawnError& error);

private:
    detail::RunEngine& engine() const;
    std::shared_ptr<detail::RunEngine> engine_;
};

}  // namespace syncspawn
