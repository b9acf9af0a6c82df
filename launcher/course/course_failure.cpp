#include <algorithm>
#include <cerrno>
#include <utility>

#include "barrier/linux/time_left.hpp"
#include "course.hpp"
#include "launcher/result/hints.hpp"

// What ends a launch early, in words, and what is then left of it.

namespace syncspawn::detail {

using std::chrono::steady_clock;

bool Course::is_late() const { return deadline_ && steady_clock::now() >= *deadline_; }

bool Course::is_cancelled() const { return is_to_be_cancelled_ || waiter_.is_cancelled(); }

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
    const auto program =
        program_runs() ? Unwinding::Program::has_run : Unwinding::Program::may_have_run;
    const auto limit = phase_ == Phase::readiness ? phase_deadline_ : deadline_;
    phase_ = Phase::unwinding;
    unwinding_.begin(std::move(own), program, limit);
    return Progress::turned;
}

Course::Progress Course::fail_without_child(SpawnError error) {
    error_ = std::move(error);
    waiter_.close();
    phase_ = Phase::over;
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
    facts.hint = hint_for(options_, StartMethod::automatic, facts);
    return fail_without_child(SpawnError(std::move(facts)));
}

Failure Course::late(WhichSide side, std::uint32_t item, const std::string& what) const {
    const std::string limit =
        options_.setup.within ? "within " + in_words(*options_.setup.within) : "in time";
    return {side, item, Cause::timed_out, ETIMEDOUT,
            "the setup was not done " + limit + ": " + what};
}

Failure Course::late_child() const {
    const std::uint32_t item = child_.item();
    std::int64_t began = child_.record().times(WhichSide::child, item).began;
    const std::int64_t now = monotonic_now();
    if (began <= began_ || began > now) {  // not even there yet, or nonsense
        began = began_;
    }
    return late(WhichSide::child, item,
                "the child has been in '" + schedule_.items[item].name + "' for " +
                    in_words(std::chrono::nanoseconds(now - began)));
}

Failure Course::late_before(std::uint32_t item) const {
    return late(WhichSide::parent, item,
                "the program runs, but '" + schedule_.items[item].name + "' has yet to begin");
}

Failure Course::late_program() const {
    const std::string more = readiness_->words_if_late(child_.handle().pid());
    return {WhichSide::child, schedule_.readiness, Cause::timed_out, ETIMEDOUT,
            "the program was not ready within " + in_words(*options_.readiness.within) +
                (more.empty() ? "" : "; " + more)};
}

Course::Progress Course::unwind() {
    if (!unwinding_.advance()) {
        return Progress::waits;
    }
    error_ = conclude(parts_.undo_all(child_.handle().pid()));
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
    facts.timeline = timeline_of(trace());
    return SpawnError(std::move(facts));
}

Trace Course::trace() const {
    return {{definition_, &schedule_}, began_, child_.record(), parts_.waits()};
}

}  // namespace syncspawn::detail
