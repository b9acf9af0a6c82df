#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/run_options.hpp>
#include <syncspawn/launcher/run_result.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

#include "captured_stream.hpp"
#include "fed_stream.hpp"
#include "launcher/result/stopping.hpp"
#include "launcher/result/watch.hpp"

namespace syncspawn::detail {

// One program of a run, from its launch to its end, and the streams that the run has to it.
class Stage {
public:
    struct Place {
        bool is_first = true;
        bool is_last = true;
    };
    enum class Phase { launching, running, ended, failed, left_behind };

    // Throws std::invalid_argument for streams that do not fit its place. The options are borrowed.
    Stage(const SyncedSpawner& spawner, const RunOptions& options, Place place);

    // How it is launched.
    enum class Start {
        stepwise,  // by advance_launch(), while streams are moved
        at_once    // by launch_now(), which waits until it is launched
    };
    // Else it may write more than a pipe holds before it is launched.
    [[nodiscard]] bool may_start_at_once() const noexcept {
        return !spawner_.waits_for_the_program();
    }
    // Gets ready to launch, by the deadline. The descriptors are the ends of the pipes to its neighbours,
    // none at the ends of the row; they are closed as soon as the program has them.
    void prepare(UniqueFd from_previous, UniqueFd to_next, Start start, Deadline deadline);

    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] bool is_launching() const noexcept { return phase_ == Phase::launching; }
    [[nodiscard]] bool is_at_rest() const noexcept {
        return phase_ != Phase::launching && phase_ != Phase::running;
    }
    // Each does nothing in another phase. The watch, if there is one, lets go of what is closed.
    void launch_now(Deadline deadline);
    void advance_launch(Watch* watch);
    void look_for_end();
    void advance_stopping();
    // Calls RunOptions::launched if the program runs, or has. What that throws passes through.
    void tell_of_launch();
    // Cancels the launch, unless the program turns out to run; or begins with these actions, which are
    // borrowed.
    void stop(std::span<const StopAction> actions, Watch* watch);

    // Reads and writes what can be. What callbacks throw passes through.
    void move_streams(std::span<char> buffer, Watch* watch);
    void call_back_no_more() noexcept;
    void close_streams(Watch* watch) noexcept;
    [[nodiscard]] bool has_open_capture() const noexcept;
    [[nodiscard]] bool is_too_full() const noexcept;

    // What to wait for, and until when at the latest.
    void add_events(std::vector<pollfd>& events) const;
    [[nodiscard]] Deadline next_look() const;
    // Of the spawner; -1: none.
    [[nodiscard]] int cancels_when_readable() const noexcept { return cancel_when_readable_; }

    // Why the launch failed, with the last words of the program.
    [[nodiscard]] SpawnError take_error();
    // It is at rest: kills what is left of its kill scope, and reaps it.
    void bury();
    [[nodiscard]] RunStage result();
    [[nodiscard]] std::string take_output() { return output_ ? output_->take_kept() : ""; }
    [[nodiscard]] std::uint64_t output_dropped() const noexcept {
        return output_ ? output_->dropped() : 0;
    }

private:
    [[nodiscard]] Streams streams(int from_previous, int to_next) const;
    void take_pipes_of_launch();
    void move_capture(std::optional<CapturedStream>& stream, std::span<char> buffer, Watch* watch);

    void after_launch();
    [[nodiscard]] bool is_fed() const noexcept;

    SyncedSpawner spawner_;
    int cancel_when_readable_;
    const std::function<void(const Process&)>* launched_;  // until it is called, or will never be
    std::optional<FedStream> input_;
    std::optional<CapturedStream> output_;
    std::optional<CapturedStream> error_stream_;
    UniqueFd from_previous_;
    UniqueFd to_next_;

    Phase phase_ = Phase::launching;
    Launch launch_;  // with Start::stepwise
    bool are_pipes_taken_ = false;
    SpawnError error_;
    Process process_;
    std::optional<Stopping> stopping_;
    std::optional<pid_t> survivor_;
};

}  // namespace syncspawn::detail
