#pragma once

#include <unistd.h>

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "stage.hpp"

namespace syncspawn::detail {

// A run of one program or a pipeline. It goes on as far as it can, pass by pass, and leaves it to an event
// loop, or to finish(), to call it again.
class RunEngine {
public:
    enum class DrivenBy { finish, event_loop };
    // Throws std::invalid_argument.
    RunEngine(const std::vector<SyncedSpawner>& programs, RunOptions options, DrivenBy driver);
    // Ends what still runs, and waits for that; but not in a copy of this process.
    ~RunEngine();
    RunEngine(const RunEngine&) = delete;
    RunEngine& operator=(const RunEngine&) = delete;

    // True once it is over. Until then, to be called again when the descriptor is readable.
    bool advance();
    [[nodiscard]] int descriptor() const noexcept {
        return watch_ && !is_over_ ? watch_->descriptor() : -1;
    }
    // Calls advance() until it is over, and sleeps between.
    void finish();
    void cancel() noexcept;
    // From now on no callback is called, not even by a pass that is under way.
    void abandon() noexcept;
    [[nodiscard]] bool is_over() const noexcept { return is_over_; }
    // Nothing has begun, or it was begun by the process that asks.
    [[nodiscard]] bool is_of_this_process() const noexcept {
        return owner_ < 0 || owner_ == getpid();
    }
    // Once, after it is over. Throws what a callback has thrown.
    RunResult take_result(SpawnError& error);

private:
    void begin();
    void connect_and_prepare();
    void pass();
    void tell_of_launches();
    // What calls callbacks of the caller's. What they throw ends the run.
    template <class Callback>
    void call(Callback callback, Stage& stage);
    void note_failure_of(Stage& stage) noexcept;
    void move_streams();
    void look_for_reasons();
    [[nodiscard]] bool is_cancelled() const;
    void stop();
    [[nodiscard]] bool has_drained();
    void conclude();
    void make_result();
    void note_what_to_wait_for();
    // A pass that sees this has no time for more launches.
    [[nodiscard]] bool is_ending() const noexcept {
        return is_stopping_ || failed_ != nullptr || thrown_ != nullptr;
    }
    [[nodiscard]] bool is_launched() const;
    [[nodiscard]] bool is_at_rest() const;
    [[nodiscard]] bool has_open_capture() const;
    [[nodiscard]] bool is_too_full() const;
    template <class Test>
    [[nodiscard]] bool any_stage(Test test) const;
    [[nodiscard]] Watch* watch() noexcept { return watch_ ? &*watch_ : nullptr; }

    RunOptions options_;
    StopActions stop_actions_;  // and SIGKILL behind them
    std::vector<Stage> stages_;
    std::optional<Deadline> deadline_;

    DrivenBy driver_;
    pid_t owner_ = -1;  // once it has begun
    std::chrono::steady_clock::time_point began_{};
    std::optional<Watch> watch_;  // for an event loop
    std::vector<pollfd> events_;
    Deadline next_{};
    std::unique_ptr<char[]> buffer_;
    bool is_in_a_pass_ = false;
    bool is_cancel_asked_for_ = false;
    bool is_stopping_ = false;
    std::size_t told_of_ = 0;  // stages whose launch is over, and RunOptions::launched was called
    std::optional<Deadline> drained_by_;  // once all programs have ended
    bool is_drain_short_ = false;         // since it was cancelled
    bool is_over_ = false;

    Stage* failed_ = nullptr;  // the first whose launch has
    SpawnError error_;
    std::exception_ptr thrown_;  // by a callback
    RunResult result_;
};

}  // namespace syncspawn::detail
