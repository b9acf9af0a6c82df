#include "run_engine.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "barrier/linux/cancellation.hpp"
#include "barrier/linux/waiting.hpp"
#include "launcher/plan/opened_stream.hpp"
#include "launcher/result/within.hpp"
#include "stop_actions.hpp"

namespace syncspawn::detail {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t buffer_size = 65'536;
constexpr std::chrono::milliseconds drain_once_cancelled(100);

// "The next one had read enough": no failure of a program before the last.
bool is_excused(const RunStage& stage) noexcept {
    return stage.status.success() || stage.status.signal() == SIGPIPE;
}

}  // namespace

RunEngine::RunEngine(const std::vector<SyncedSpawner>& programs, RunOptions options,
                     DrivenBy driver)
    : options_(std::move(options)), stop_actions_(limited(options_.stop)), driver_(driver) {
    if ((options_.within && options_.within->count() < 0) || options_.drain.count() < 0) {
        throw std::invalid_argument("syncspawn: a duration must not be negative");
    }
    if (programs.empty()) {
        throw std::invalid_argument("syncspawn: a pipeline must have a program");
    }
    stages_.reserve(programs.size());
    for (const SyncedSpawner& program : programs) {
        stages_.emplace_back(program, options_,
                             Stage::Place{.is_first = &program == &programs.front(),
                                          .is_last = &program == &programs.back()});
    }
}

RunEngine::~RunEngine() {
    if (owner_ < 0 || is_over_ || !is_of_this_process()) {
        return;
    }
    try {
        for (Stage& stage : stages_) {
            stage.call_back_no_more();
            stage.close_streams(watch());
            stage.stop(kill_within_limit, watch());
        }
        is_stopping_ = true;
        finish();
    } catch (...) {  // no memory: the stages end what they own by themselves
    }
}

template <class Test>
bool RunEngine::any_stage(Test test) const {
    return std::ranges::any_of(stages_, test);
}

bool RunEngine::is_launched() const {
    return !any_stage([](const Stage& stage) { return stage.is_launching(); });
}

bool RunEngine::is_at_rest() const {
    return !any_stage([](const Stage& stage) { return !stage.is_at_rest(); });
}

bool RunEngine::has_open_capture() const {
    return any_stage([](const Stage& stage) { return stage.has_open_capture(); });
}

bool RunEngine::is_too_full() const {
    return any_stage([](const Stage& stage) { return stage.is_too_full(); });
}

bool RunEngine::advance() {
    if (is_in_a_pass_) {
        throw std::logic_error("syncspawn::Run: a callback cannot advance its own run");
    }
    if (is_over_) {
        return true;
    }
    const Within pass_under_way(is_in_a_pass_);
    try {
        if (owner_ < 0) {
            begin();
        }
    } catch (const std::system_error& failure) {
        error_ = SpawnError::in_preparation("open what the run needs", failure.code());
        is_over_ = true;
        return true;
    }
    pass();
    if (!is_over_) {
        note_what_to_wait_for();
    }
    return is_over_;
}

void RunEngine::begin() {
    began_ = steady_clock::now();
    if (options_.within) {
        deadline_ = after(*options_.within);
    }
    buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size);
    if (driver_ == DrivenBy::event_loop) {
        watch_.emplace();
    }
    connect_and_prepare();
    owner_ = getpid();
}

void RunEngine::connect_and_prepare() {
    const bool may_wait = driver_ == DrivenBy::finish &&
                          !any_stage([](const Stage& stage) { return !stage.may_start_at_once(); });
    UniqueFd from_previous;
    for (Stage& stage : stages_) {
        Pipe pipe;
        if (&stage != &stages_.back()) {
            pipe = open_pipe("pipe between two programs");
        }
        stage.prepare(std::move(from_previous), std::move(pipe.write),
                      may_wait ? Stage::Start::at_once : Stage::Start::stepwise,
                      deadline_.value_or(Deadline::max()));
        from_previous = std::move(pipe.read);
    }
}

void RunEngine::pass() {
    if (is_cancel_asked_for_) {  // before a launch begins
        look_for_reasons();
    }
    for (Stage& stage : stages_) {
        if (!is_ending()) {
            stage.launch_now(deadline_.value_or(Deadline::max()));
        }
        stage.advance_launch(watch());
        tell_of_launches();
        stage.look_for_end();
        note_failure_of(stage);
    }
    move_streams();
    look_for_reasons();
    for (Stage& stage : stages_) {
        stage.advance_stopping();
    }
    if (is_at_rest() && has_drained()) {
        conclude();
    }
}

// In the order of the programs, whichever runs first.
void RunEngine::tell_of_launches() {
    while (told_of_ < stages_.size() && !stages_[told_of_].is_launching() && !is_ending()) {
        Stage& stage = stages_[told_of_++];
        call([&] { stage.tell_of_launch(); }, stage);
    }
}

template <class Callback>
void RunEngine::call(Callback callback, Stage& stage) {
    try {
        callback();
    } catch (const EndOfThread&) {  // the destructor ends the programs
        throw;
    } catch (...) {
        if (thrown_ == nullptr) {
            thrown_ = std::current_exception();
        }
        stage.call_back_no_more();
    }
}

void RunEngine::note_failure_of(Stage& stage) noexcept {
    if (stage.phase() == Stage::Phase::failed && failed_ == nullptr) {
        failed_ = &stage;
    }
}

void RunEngine::move_streams() {
    for (Stage& stage : stages_) {
        call([&] { stage.move_streams({buffer_.get(), buffer_size}, watch()); }, stage);
    }
}

bool RunEngine::is_cancelled() const {
    const Deadline now{};
    return is_cancel_asked_for_ || any_stage([&](const Stage& stage) {
               const int fd = stage.cancels_when_readable();
               return fd >= 0 && wait_for_any(readable(fd), &now) == 0;
           });
}

// What ends it before its programs do. The launches that are under way know the deadline themselves.
void RunEngine::look_for_reasons() {
    const bool has_ended = is_at_rest();
    if (is_stopping_ || (has_ended && !has_open_capture())) {
        return;
    }
    if (failed_ != nullptr || thrown_ != nullptr) {
        stop();
    } else if (is_cancelled()) {
        result_.end = RunEnd::cancelled;
        stop();
    } else if (is_launched() && is_too_full()) {
        result_.end = RunEnd::output_limit;
        stop();
    } else if (!has_ended && is_launched() && deadline_ && steady_clock::now() >= *deadline_) {
        result_.end = RunEnd::time_limit;
        stop();
    }
}

void RunEngine::stop() {
    is_stopping_ = true;
    for (Stage& stage : stages_) {
        stage.stop(stop_actions_, watch());
        note_failure_of(stage);
    }
    if (is_at_rest()) {  // what is left is to wait for others, and that is over
        drained_by_ = Deadline();
    }
}

// Or the time for that is up, or nobody wants it any more.
bool RunEngine::has_drained() {
    if (failed_ != nullptr || thrown_ != nullptr || !has_open_capture()) {
        return true;
    }
    if (!drained_by_) {
        drained_by_ = after(options_.drain);
    }
    if (!is_drain_short_ && is_cancelled()) {
        is_drain_short_ = true;
        drained_by_ = std::min(*drained_by_, Deadline(after(drain_once_cancelled)));
        if (!is_stopping_) {
            result_.end = RunEnd::cancelled;
        }
    }
    result_.is_held_open = steady_clock::now() >= *drained_by_;
    return result_.is_held_open;
}

void RunEngine::conclude() {
    for (Stage& stage : stages_) {
        stage.bury();
    }
    move_streams();  // what those wrote that have just been killed
    for (Stage& stage : stages_) {
        stage.close_streams(watch());
    }
    if (failed_ != nullptr) {
        error_ = failed_->take_error();
    } else if (thrown_ == nullptr) {
        make_result();
    }
    result_.wall_time = steady_clock::now() - began_;
    is_over_ = true;
}

void RunEngine::make_result() {
    // Whether the program has ended by itself meanwhile is chance.
    if (result_.end == RunEnd::program && is_too_full()) {
        result_.end = RunEnd::output_limit;
    }
    for (Stage& stage : stages_) {
        RunStage& one = result_.stages.emplace_back(stage.result());
        result_.error += one.error;
        result_.error_dropped += one.error_dropped;
    }
    Stage& last = stages_.back();
    result_.output = last.take_output();
    result_.output_dropped = last.output_dropped();
    const auto before_the_last = std::next(result_.stages.rbegin());
    const auto failed = std::find_if_not(before_the_last, result_.stages.rend(), is_excused);
    const ExitStatus status = result_.stages.back().status;
    const bool is_another = status.success() && failed != result_.stages.rend();
    result_.status = is_another ? failed->status : status;
}

void RunEngine::note_what_to_wait_for() {
    events_.clear();
    next_ = drained_by_.value_or(Deadline::max());
    for (const Stage& stage : stages_) {
        stage.add_events(events_);
        next_ = std::min(next_, stage.next_look());
        if (!is_stopping_ || (drained_by_ && !is_drain_short_)) {
            events_.push_back(readable(stage.cancels_when_readable()));
        }
    }
    if (!is_stopping_ && !drained_by_ && is_launched() && deadline_) {
        next_ = std::min(next_, *deadline_);
    }
    if (!is_stopping_ && is_cancel_asked_for_) {
        next_ = Deadline();
    }
    if (watch_) {
        watch_->set_all(events_, next_ < Deadline::max() ? &next_ : nullptr);
    }
}

void RunEngine::finish() {
    while (!advance()) {
        const Deadline* const until = next_ < Deadline::max() ? &next_ : nullptr;
        if (wait_for_any_of(events_, until) == wait_failed) {  // a filter refuses it
            const timespec pause = to_timespec(std::chrono::nanoseconds(look_every));
            nanosleep(&pause, nullptr);
        }
    }
}

void RunEngine::abandon() noexcept {
    for (Stage& stage : stages_) {
        stage.call_back_no_more();
    }
}

void RunEngine::cancel() noexcept {
    is_cancel_asked_for_ = true;
    if (watch_ && !is_over_ && !is_in_a_pass_) {
        const Deadline now = steady_clock::now();
        watch_->set(Events(), &now);
    }
}

RunResult RunEngine::take_result(SpawnError& error) {
    if (thrown_ != nullptr) {
        std::rethrow_exception(thrown_);
    }
    error = error_;
    return error_ ? RunResult() : std::move(result_);
}

}  // namespace syncspawn::detail
