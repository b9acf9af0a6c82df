#include "stage.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

#include "launcher/result/child_handle.hpp"
#include "launcher/result/program_state.hpp"

namespace syncspawn::detail {
namespace {

// The run decides what it is.
bool is_left_to_the_run(const Stdio& stream) noexcept {
    return stream.kind() == Stdio::Kind::inherit || stream.kind() == Stdio::Kind::pipe;
}

// A pipe, with all that was said about it.
Stdio pipe_as(const Stdio& stream) {
    return stream.kind() == Stdio::Kind::pipe ? stream : Stdio::pipe();
}

void require_left_to_the_run(const Stdio& stream, const std::string& which) {
    if (!is_left_to_the_run(stream)) {
        throw std::invalid_argument("syncspawn: " + which +
                                    " must be left at Stdio::inherit(), or be a pipe()");
    }
}

void let_go(Watch* watch, int fd) noexcept {
    if (watch != nullptr) {
        watch->let_go(fd);
    }
}

}  // namespace

Stage::Stage(const SyncedSpawner& spawner, const RunOptions& options, Place place)
    : spawner_(spawner),
      cancel_when_readable_(spawner.options().setup.cancel_when_readable),
      launched_(options.launched ? &options.launched : nullptr) {
    const Streams& wanted = spawner.options().streams;
    if (!place.is_first) {
        require_left_to_the_run(wanted.input, "in a pipeline, the input of all but the first");
    } else if (options.input) {
        require_left_to_the_run(wanted.input, "with RunOptions::input, the standard input");
        input_.emplace(options.input);
    }
    if (!place.is_last) {
        require_left_to_the_run(wanted.output, "in a pipeline, the output of all but the last");
    } else if (is_left_to_the_run(wanted.output)) {
        output_.emplace(options.output);
    }
    if (is_left_to_the_run(wanted.error)) {
        error_stream_.emplace(options.error);
    }
}

Streams Stage::streams(int from_previous, int to_next) const {
    Streams streams = spawner_.options().streams;
    if (from_previous >= 0) {
        streams.input = Stdio::descriptor(from_previous);
    } else if (is_left_to_the_run(streams.input)) {
        streams.input = input_ ? pipe_as(streams.input) : Stdio::null();
    }
    if (to_next >= 0) {
        streams.output = Stdio::descriptor(to_next);
    } else if (output_) {
        streams.output = pipe_as(streams.output);
    }
    if (error_stream_) {
        streams.error = pipe_as(streams.error);
    }
    return streams;
}

void Stage::prepare(UniqueFd from_previous, UniqueFd to_next, Start start, Deadline deadline) {
    SpawnOptions options = spawner_.options();
    options.streams = streams(from_previous.get(), to_next.get());
    spawner_ = spawner_.with(std::move(options));
    if (start == Start::stepwise) {
        launch_ = spawner_.launch(deadline);
    }
    from_previous_ = std::move(from_previous);
    to_next_ = std::move(to_next);
}

void Stage::launch_now(Deadline deadline) {
    if (phase_ == Phase::launching && !launch_) {
        process_ = spawner_.spawn(deadline, error_);
        after_launch();
    }
}

void Stage::advance_launch(Watch* watch) {
    if (phase_ != Phase::launching || !launch_) {
        return;
    }
    let_go(watch, launch_.descriptor());
    if (launch_.advance()) {
        process_ = launch_.take_process(error_);
        after_launch();
    } else if (launch_.has_started()) {
        take_pipes_of_launch();
    }
}

void Stage::after_launch() {
    from_previous_.reset();
    to_next_.reset();
    phase_ = error_ ? Phase::failed : Phase::running;
    if (process_) {
        take_pipes_of_launch();
    }
}

// As soon as there is a child: it may write more than a pipe holds before it is ready.
void Stage::take_pipes_of_launch() {
    if (std::exchange(are_pipes_taken_, true)) {
        return;
    }
    const auto open = [this](auto& stream, auto of_process, auto of_launch) {
        if (stream) {
            stream->open(process_ ? (process_.*of_process)() : (launch_.*of_launch)());
        }
    };
    open(input_, &Process::take_standard_input, &Launch::take_standard_input);
    open(output_, &Process::take_standard_output, &Launch::take_standard_output);
    open(error_stream_, &Process::take_standard_error, &Launch::take_standard_error);
}

void Stage::tell_of_launch() {
    const auto* const launched = std::exchange(launched_, nullptr);
    if (launched != nullptr && process_) {
        await_rest_of_execve(process_.pid());
        (*launched)(process_);
    }
}

void Stage::look_for_end() {
    const Deadline past{};
    if (phase_ == Phase::running && process_.child().wait_for_end(&past)) {
        phase_ = Phase::ended;
    }
}

void Stage::advance_stopping() {
    if (phase_ != Phase::running || !stopping_ || !stopping_->advance(process_.child())) {
        return;
    }
    phase_ = stopping_->has_ended() ? Phase::ended : Phase::left_behind;
}

void Stage::stop(std::span<const StopAction> actions, Watch* watch) {
    if (phase_ == Phase::launching && launch_) {
        let_go(watch, launch_.descriptor());
        if (launch_.turns_out_to_be_over()) {
            process_ = launch_.take_process(error_);
            after_launch();
        } else {
            launch_.cancel();
        }
    } else if (phase_ == Phase::launching) {  // and nothing has begun
        phase_ = Phase::failed;
        from_previous_.reset();
        to_next_.reset();
    }
    launched_ = nullptr;
    stopping_.emplace(actions);
}

// What reads its input first is to be still there when `launched` is called; but it may have to read to get ready.
bool Stage::is_fed() const noexcept {
    return input_ && input_->is_open() &&
           (launched_ == nullptr || spawner_.options().readiness.within);
}

void Stage::move_streams(std::span<char> buffer, Watch* watch) {
    if (is_fed() && (is_at_rest() || input_->write() == FedStream::Answer::end)) {
        let_go(watch, input_->event().fd);
        input_->close();
    }
    move_capture(output_, buffer, watch);
    move_capture(error_stream_, buffer, watch);
}

void Stage::move_capture(std::optional<CapturedStream>& stream, std::span<char> buffer,
                         Watch* watch) {
    if (stream && stream->is_open() && stream->read(buffer) == CapturedStream::Answer::end) {
        let_go(watch, stream->event().fd);
        stream->close();
    }
}

void Stage::call_back_no_more() noexcept {
    launched_ = nullptr;
    for (std::optional<CapturedStream>* const stream : {&output_, &error_stream_}) {
        if (*stream) {
            (*stream)->receive_no_more();
        }
    }
    if (input_) {
        input_->ask_no_more();
    }
}

void Stage::close_streams(Watch* watch) noexcept {
    for (std::optional<CapturedStream>* const stream : {&output_, &error_stream_}) {
        if (*stream && (*stream)->is_open()) {
            let_go(watch, (*stream)->event().fd);
            (*stream)->close();
        }
    }
}

bool Stage::has_open_capture() const noexcept {
    return (output_ && output_->is_open()) || (error_stream_ && error_stream_->is_open());
}

bool Stage::is_too_full() const noexcept {
    return (output_ && output_->is_too_full()) || (error_stream_ && error_stream_->is_too_full());
}

void Stage::add_events(std::vector<pollfd>& events) const {
    if (phase_ == Phase::launching && launch_) {
        events.push_back(readable(launch_.descriptor()));
    } else if (phase_ == Phase::running) {
        events.push_back(readable(process_.pidfd()));
    }
    if (is_fed()) {
        events.push_back(input_->event());
    }
    for (const std::optional<CapturedStream>* const stream : {&output_, &error_stream_}) {
        if (*stream && (*stream)->is_open()) {
            events.push_back((*stream)->event());
        }
    }
}

Deadline Stage::next_look() const {
    if (phase_ != Phase::running) {
        return Deadline::max();
    }
    // Before Linux 5.3 nothing tells of the end.
    const Deadline look =
        process_.pidfd() < 0 ? std::chrono::steady_clock::now() + look_every : Deadline::max();
    return std::min(look,
                    stopping_ ? stopping_->deadline().value_or(Deadline::max()) : Deadline::max());
}

SpawnError Stage::take_error() {
    const bool is_merged = spawner_.options().streams.error.kind() == Stdio::Kind::same_as_output;
    std::optional<CapturedStream>& stream = is_merged ? output_ : error_stream_;
    const std::string words = stream ? stream->take_last_words() : "";
    return words.empty() ? error_ : error_.with_last_words(words);
}

void Stage::bury() {
    if (phase_ == Phase::left_behind) {
        survivor_ = process_.release();
    }
    if (phase_ == Phase::ended) {
        // While it is not reaped, its number and that of its group are nobody else's.
        if (process_.child().scope() != KillScope::process) {
            (void)process_.child().send_to_scope(SIGKILL);
        }
        process_.wait();
    }
}

RunStage Stage::result() {
    RunStage result;
    if (process_) {
        result.status = process_.wait();
        result.usage = process_.usage();
        result.after_end_failures = process_.after_end_failures();
    }
    if (error_stream_) {
        result.error = error_stream_->take_kept();
        result.error_dropped = error_stream_->dropped();
    }
    result.survivor = survivor_;
    return result;
}

}  // namespace syncspawn::detail
