#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "barrier/linux/time_left.hpp"
#include "course.hpp"
#include "launcher/plan/opened_stream.hpp"
#include "launcher/result/hints.hpp"
#include "launcher/result/last_words.hpp"
#include "launcher/result/program_state.hpp"

// What ends a launch early, in words, and what is then left of it.

namespace syncspawn::detail {

using std::chrono::steady_clock;

bool Course::is_late() const { return deadline_ && steady_clock::now() >= *deadline_; }

bool Course::is_cancelled() const { return is_to_be_cancelled_ || waiter_.is_cancelled(); }

void Course::cancel() {
    if (is_in_a_pass_ && phase_ != Phase::unwinding) {  // whose undo may ask for it, too
        is_to_be_cancelled_ = true;
        return;
    }
    switch (phase_) {
        case Phase::opening:
        case Phase::preparation:
            (void)fail_without_child({.stage = Stage::prepare,
                                      .cause = Cause::cancelled,
                                      .step = "prepare the launch",
                                      .error = ECANCELED,
                                      .detail = "the launch was cancelled"});
            break;
        case Phase::before_start:
            (void)fail(Failure::cancellation(
                WhichSide::parent,
                schedule_.before_start[std::min(next_, schedule_.before_start.size() - 1)]));
            break;
        case Phase::items:
            (void)fail(Failure::cancellation(WhichSide::parent, schedule_.parent[next_]));
            break;
        case Phase::execve:
            (void)fail(Failure::cancellation(WhichSide::child, schedule_.execve));
            break;
        case Phase::after_execve:
            // By the last part itself, it may be.
            (void)fail(Failure::cancellation(
                WhichSide::parent,
                schedule_.after_execve[std::min(next_, schedule_.after_execve.size() - 1)]));
            break;
        case Phase::readiness:
            (void)fail(Failure::cancellation(WhichSide::child, schedule_.readiness));
            break;
        default:
            break;
    }
    waiter_.call_again_now();  // for the end
}

// What a wait came to that is no wait any more; none where it was an event or the deadline.
std::optional<Course::Progress> Course::stop_at(Waiter::Woken woken, WhichSide side,
                                                std::uint32_t item) {
    switch (woken) {
        case Waiter::Woken::nothing:
            return Progress::waits;
        case Waiter::Woken::cancelled:
            return fail(Failure::cancellation(side, item));
        case Waiter::Woken::failure:
            return fail(Failure::of_a_wait(item, waiter_.error(), "ppoll"));
        default:
            return std::nullopt;
    }
}

Course::Progress Course::fail(Failure own) {
    if (phase_ == Phase::before_start) {
        SpawnError::Facts facts =
            verdict({.own = std::move(own), .never_executed = true}, schedule_);
        facts.hint = hint_for(options_, StartMethod::automatic, facts);
        return fail_without_child(std::move(facts));
    }
    const auto program =
        program_runs() ? Unwinding::Program::has_run : Unwinding::Program::may_have_run;
    const auto limit = phase_ == Phase::readiness ? phase_deadline_ : deadline_;
    phase_ = Phase::unwinding;
    unwinding_.begin(std::move(own), program, limit);
    return Progress::turned;
}

// Nothing was done if it has not even begun.
Course::Progress Course::fail_without_child(SpawnError::Facts facts) {
    if (phase_ == Phase::opening) {
        error_ = SpawnError(std::move(facts));
        waiter_.close();
        phase_ = Phase::over;
    } else {
        without_child_ = std::move(facts);
        phase_ = Phase::unwinding;
    }
    return Progress::turned;
}

Course::Progress Course::fail_without_child(const std::system_error& failure) {
    // "CALL: MESSAGE", and the message comes from the code again.
    std::string what = failure.what();
    what.resize(std::min(what.size(), what.rfind(": " + failure.code().message())));
    SpawnError::Facts facts{.stage = Stage::prepare,
                            .cause = Cause::error,
                            .step = "prepare the launch",
                            .error = failure.code().value(),
                            .detail = std::move(what),
                            .call = KnownCall::preparation};
    const auto* const known = dynamic_cast<const ErrorWithHint*>(&failure);
    facts.hint = known != nullptr && !known->hint().empty()
                     ? known->hint()
                     : hint_for(options_, StartMethod::automatic, facts);
    return fail_without_child(std::move(facts));
}

// "within 2 s", if it was this limit, and not that of all.
std::string Course::in_time(std::optional<std::chrono::nanoseconds> limit) const {
    const bool is_limit_of_all = steady_clock::now() >= deadline_of_all_;
    return limit && !is_limit_of_all ? "within " + in_words(*limit) : "in time";
}

Failure Course::late(WhichSide side, std::uint32_t item, const std::string& what) const {
    return {side, item, Cause::timed_out, ETIMEDOUT,
            "the setup was not done " + in_time(options_.setup.within) + ": " + what};
}

Failure Course::late_child() const {
    const std::uint32_t item = child_.item();
    return late(WhichSide::child, item,
                "the child has been in '" + schedule_.items[item].name + "' for " +
                    in_words(time_of_child_in(item)));
}

Failure Course::late_before(std::uint32_t item) const {
    const std::string name = "'" + schedule_.items[item].name + "'";
    return late(WhichSide::parent, item,
                (program_runs() ? "the program runs, but " : "") + name + " has yet to begin");
}

Failure Course::late_program() const {
    const ChildHandle& child = child_.handle();
    const pid_t program = child.has_reaper() ? first_child_of(child.pid()) : child.pid();
    const std::string more = readiness_->words_if_late(program);
    return {WhichSide::child, schedule_.readiness, Cause::timed_out, ETIMEDOUT,
            "the program was not ready " + in_time(options_.readiness.within) +
                (more.empty() ? "" : "; " + more)};
}

Failure Course::stuck_program(const std::string& where) const {
    return {WhichSide::child, schedule_.readiness,    Cause::error,
            ENOBUFS,          "the program " + where, KnownCall::full_pipe};
}

// What is still in the pipe of its standard error.
std::string Course::last_words() const {
    const Streams& streams = options_.streams;
    const bool is_in_output = streams.error.kind() == Stdio::Kind::same_as_output;
    return last_words_in(child_.streams().get(is_in_output ? STDOUT_FILENO : STDERR_FILENO));
}

Course::Progress Course::unwind() {
    if (without_child_) {
        without_child_->undo_failures = parts_.undo_all();
        if (!before_start_.empty()) {
            without_child_->timeline = timeline_of(trace());
        }
        error_ = SpawnError(std::move(*without_child_));
        without_child_.reset();
        return Progress::done;
    }
    if (!unwinding_.advance()) {
        return Progress::waits;
    }
    error_ = conclude(parts_.undo_all());
    child_.drop();
    return Progress::done;
}

SpawnError Course::conclude(std::string undo_failures) const {
    SpawnError::Facts facts = verdict(unwinding_.evidence(), schedule_);
    facts.hint = hint_for(options_, child_.start_method(), facts);
    facts.child_pid = child_.handle().pid();
    if (!facts.why_it_survived.empty()) {
        facts.survivor = facts.child_pid;
    }
    facts.undo_failures = std::move(undo_failures);
    if (facts.program_may_have_run) {
        facts.last_words = last_words();
    }
    facts.timeline = timeline_of(trace());
    return SpawnError(std::move(facts));
}

Timeline Course::timeline() const { return is_over() ? Timeline() : timeline_of(trace()); }

Trace Course::trace() const {
    const std::shared_ptr<const Schedule> schedule{definition_, &schedule_};
    Trace trace = child_.has_record() ? Trace(schedule, began_, child_.record(), parts_.waits())
                                      : Trace(schedule, began_, parts_.waits());
    for (std::size_t index = 0; index < before_start_.size(); ++index) {
        trace.parent[schedule_.before_start[index]] = before_start_[index];
    }
    return trace;
}

}  // namespace syncspawn::detail
