#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "barrier/linux/proc.hpp"
#include "course.hpp"
#include "launcher/result/hints.hpp"
#include "launcher/result/spawn_error_facts.hpp"

namespace syncspawn::detail {
namespace {

// Before the process itself can be seen to have ended, its descriptors are closed already: the time
// between the two was measured at up to 2 ms on an idle machine.
constexpr auto end_after_hang_up = std::chrono::seconds(1);

// Some processes do not end by SIGKILL, or not now. All others have by then.
constexpr auto end_after_kill = std::chrono::seconds(5);

std::string why_it_survives(pid_t pid) {
    if (::kill(pid, 0) < 0 && errno == EPERM) {
        return "this process may not signal it";
    }
    const std::string state =
        proc::is_of_this_pid_namespace() ? proc::status_text(pid, "State:") : "";
    return state.starts_with('D') ? "it is frozen, or in an uninterruptible call (state D)"
           : state.empty()        ? "it has not ended in five seconds"
                                  : "it has not ended in five seconds, and is in state " + state;
}

}  // namespace

Course::~Course() {
    if (!is_of_this_process()) {
        loan_.forget();
    } else if (child_.pid() > 0 &&
               !child_.status()) {  // dropped on the way, or an exception passed by
        has_run_ = has_run_ || phase_ == Phase::readiness;
        tell_to_end();
        child_.wait_for_end(&*phase_deadline_);
        kill();
        child_.wait_for_end(&*phase_deadline_) ? reap() : leave_behind();
        undo();
    }
    if (is_record_lost_) {
        static_cast<void>(record_memory_.release());
    }
}

void Course::cancel() {
    if (is_inside_a_pass_) {  // a part of the parent asks for it
        is_to_be_cancelled_ = true;
        return;
    }
    switch (phase_) {
        case Phase::preparation:
            fail(SpawnError({.stage = Stage::prepare,
                             .cause = Cause::cancelled,
                             .step = "prepare the launch",
                             .error = ECANCELED,
                             .detail = "the launch was cancelled"}));
            break;
        case Phase::parts:
            (void)fail(cancellation(WhichSide::parent, schedule_.parent[next_]));
            break;
        case Phase::execve:
            (void)fail(cancellation(WhichSide::child, schedule_.execve));
            break;
        case Phase::readiness:
            (void)fail(cancellation(WhichSide::child, schedule_.readiness));
            break;
        default:
            break;
    }
    if (watch_) {
        const Deadline now = std::chrono::steady_clock::now();
        watch_->set({}, &now);  // there is something to do: the wait for the end
    }
}

// There is no child.
void Course::fail(SpawnError error) {
    error_ = std::move(error);
    watch_.reset();
    phase_ = Phase::over;
}

Course::Progress Course::fail(Failure own) {
    own_ = std::move(own);
    has_run_ = phase_ == Phase::readiness;
    // A part of the parent may have failed because the child had died before; what this library itself
    // called has not. A program that aborted has said why it ends.
    const Deadline now{};
    child_died_first_ = own_.cause != Cause::none && own_.cause != Cause::aborted &&
                        !is_of_the_library(own_.call) && !ended_as_a_program() &&
                        child_.wait_for_end(&now);
    if (own_.cause == Cause::none || child_died_first_) {
        const std::optional<Deadline>& limit = has_run_ ? phase_deadline_ : deadline_;
        phase_ = Phase::hang_up;
        phase_deadline_ = std::min(after(end_after_hang_up), limit.value_or(Deadline::max()));
    } else {
        record().claim(WhichSide::parent);
        tell_to_end();
    }
    return Progress::goes_on;
}

// Of a program that was executed and has ended before anybody looked, the launch succeeds: so it is no
// reason why one that is cancelled, or late, just then should fail.
bool Course::ended_as_a_program() const {
    return (own_.cause == Cause::cancelled || own_.cause == Cause::timed_out) &&
           phase_ != Phase::readiness && record().commit.load() == Commit::hot &&
           record().first_failure.load(std::memory_order_acquire) == nobody;
}

Course::Progress Course::await_end(const std::optional<Deadline>& deadline) {
    bool has_ended = false;
    if (waits_ == Waits::inside) {
        has_ended = child_.wait_for_end(deadline ? &*deadline : nullptr);
    } else {
        const Deadline past{};
        has_ended = child_.wait_for_end(&past);
        const Deadline now = std::chrono::steady_clock::now();
        if (!has_ended && (!deadline || now < *deadline)) {
            // Without pidfds (before Linux 5.3) nothing tells of the end.
            const Deadline look = child_.pidfd() < 0 ? now + look_every : Deadline::max();
            const Deadline next = std::min(look, deadline.value_or(Deadline::max()));
            watch_->set({readable(child_.pidfd())}, next < Deadline::max() ? &next : nullptr);
            return Progress::waits;
        }
    }
    if (phase_ == Phase::death) {
        // Looked at only now: until its end the child may still have got to execve.
        never_executed_ =
            record().commit.load() != Commit::hot || execution_of(child_.pid()) == Execution::never;
        has_ended ? reap() : leave_behind();
        undo();
        fail(conclude());
        child_ = ChildHandle();
        return Progress::goes_on;
    }
    ended_by_itself_ = ended_by_itself_ || has_ended;
    phase_ == Phase::hang_up ? tell_to_end() : kill();
    return Progress::goes_on;
}

// It may leave by itself, after the grace it must.
void Course::tell_to_end() {
    Commit expected = Commit::armed;
    record().commit.compare_exchange_strong(expected, Commit::cancelled);
    (void)barrier_.abort();
    phase_ = Phase::grace;
    phase_deadline_ = after(options_.setup.abort_grace);
}

void Course::kill() {
    const bool is_refused = child_.send_to_scope(SIGKILL) != 0;
    phase_ = Phase::death;
    // A program that has changed its user may not let itself be killed: there is nothing to wait for.
    phase_deadline_ = is_refused && has_run_ ? Deadline() : after(end_after_kill);
}

void Course::reap() {
    child_.reap();
    loan_.discard();
}

void Course::leave_behind() {
    why_it_survived_ = why_it_survives(child_.pid());
    if (!loan_.is_over()) {
        // It may still look at these, should SIGKILL have been refused. Better lost than pulled away.
        static_cast<void>(new std::shared_ptr<const Definition>(definition_));
        is_record_lost_ = true;
    }
    loan_.discard();
}

void Course::undo() {
    for (; !done_.empty(); done_.pop_back()) {
        const Step& step = *done_.back();
        if (!step.undo) {
            continue;
        }
        FailureSlot slot;
        ParentSide side(slot, child_.pid(), -1, std::nullopt);
        std::string problem;
        try {
            const std::error_code error = step.undo(side);
            problem = error ? error.message() : "";
        } catch (const std::exception& exception) {
            problem = exception.what();
        } catch (...) {
            problem = "not a std::exception";
        }
        if (!problem.empty()) {
            undo_failures_ += "; undoing '" + step.name + "' failed: " + problem;
        }
    }
}

SpawnError Course::conclude() const {
    const std::uint32_t claimed = record().first_failure.load(std::memory_order_acquire);
    SpawnError::Facts facts;
    if (claimed == claim_of(WhichSide::child)) {
        facts = childs_report();
    } else if (own_.cause != Cause::none && !child_died_first_) {
        facts = facts_of(own_);
    } else {
        facts = end_of_child();
    }
    const bool failed_to_execute = facts.stage == Stage::execve && facts.cause == Cause::error;
    facts.program_may_have_run = !failed_to_execute && !never_executed_;
    if (failed_to_execute && facts.error == ENOENT && facts.detail.empty() &&
        options_.program_search == ProgramSearch::path &&
        options_.program.find('/') == std::string::npos) {
        facts.hint = "it is in no directory of PATH";
    } else {
        facts.hint = hint_for(options_, start_method_, facts);
    }
    if (!why_it_survived_.empty()) {
        facts.survivor = child_.pid();
        facts.why_it_survived = why_it_survived_;
    }
    facts.child_pid = child_.pid();
    facts.undo_failures = undo_failures_;
    facts.timeline = timeline_of(trace());
    return SpawnError(std::move(facts));
}

SpawnError::Facts Course::facts_of(const Failure& failure) const {
    const Item& item = schedule_.items[failure.item];
    return {.side = failure.side,
            .stage = stage_of(item.kind),
            .cause = failure.cause,
            .step = item.name,
            .error = failure.error,
            .detail = failure.detail,
            .call = failure.call};
}

// Copied once and checked: the child could write anything there.
SpawnError::Facts Course::childs_report() const {
    const FailureSlot slot = record().child_failure;
    const std::string text(slot.text, strnlen(slot.text, sizeof slot.text));
    const bool threw = slot.cause == static_cast<std::uint32_t>(Cause::exception);
    const std::uint32_t item = slot.item < schedule_.items.size() ? slot.item : schedule_.begin;
    return facts_of({WhichSide::child, item, threw ? Cause::exception : Cause::error,
                     slot.error != 0 ? slot.error : ECANCELED, text, slot.call});
}

SpawnError::Facts Course::end_of_child() const {
    Failure failure{WhichSide::child,
                    has_run_ ? schedule_.readiness : childs_item(),
                    Cause::disconnected,
                    ECHILD,
                    {}};
    if (ended_by_itself_) {
        const bool was_killed = child_.status()->kind() == ExitStatus::Kind::killed;
        failure.cause = was_killed ? Cause::killed : Cause::exited;
    }
    SpawnError::Facts facts = facts_of(failure);
    if (ended_by_itself_) {
        facts.status = child_.status();
    }
    return facts;
}

}  // namespace syncspawn::detail
