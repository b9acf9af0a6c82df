#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "course.hpp"
#include "launcher/result/trace.hpp"

// What the parent does between the start and execve, and right behind that: its parts, and its half of each
// rendezvous.

namespace syncspawn::detail {

// Before the start there is no record yet.
void Course::note_begin(std::uint32_t item) {
    if (phase_ == Phase::before_start) {
        before_start_.push_back({.began = monotonic_now()});
    } else {
        child_.record().begin(WhichSide::parent, item);
    }
}

void Course::note_end(std::uint32_t item) {
    if (phase_ == Phase::before_start) {
        before_start_.back().ended = monotonic_now();
    } else {
        child_.record().end(WhichSide::parent, item);
    }
}

Course::Progress Course::pass_part(std::uint32_t item) {
    for (bool was_called = false;; was_called = true) {
        if (parts_.wait().is_asked_for) {
            const Progress progress = await_part(item);
            if (progress != Progress::done) {
                return progress;
            }
            if (was_called && !waiter_.sleeps()) {
                // Once for each pass, so that no part keeps the event loop to itself.
                waiter_.call_again_now();
                return Progress::waits;
            }
        }
        const ParentParts::Answer answer = parts_.call(item, deadline_);
        if (answer == ParentParts::Answer::failed) {
            return fail(parts_.take_failure());
        }
        if (answer == ParentParts::Answer::done) {
            return after_part(item);
        }
    }
}

// It looks at the child as well: what that has placed meanwhile is read, so that it wakes nobody again. Once
// the program runs, the barrier is the program's, and only the part knows what its end means.
Course::Progress Course::await_part(std::uint32_t item) {
    PartWait& wait = parts_.wait();
    const auto signs = phase_ == Phase::items ? child_.contact().signs_of_the_child()
                                              : std::array{hung_up(-1), hung_up(-1)};
    const Deadline first =
        std::min(wait.until.value_or(Deadline::max()), deadline_.value_or(Deadline::max()));
    for (;;) {
        const Deadline next = std::min(first, child_.contact().look_again_at());
        const Waiter::Woken woken =
            waiter_.wait(next < Deadline::max() ? std::optional(next) : std::nullopt,
                         readable(wait.descriptor), signs[0], signs[1]);
        if (const auto stopped = stop_at(woken, WhichSide::parent, item)) {
            return *stopped;
        }
        if (is_late()) {
            return fail(late(WhichSide::parent, item,
                             "the parent " + wait_in_words(wait.descriptor) + " in '" +
                                 schedule_.items[item].name + "'"));
        }
        // However often it is ready: a child that is gone ends it.
        if (woken != Waiter::Woken::event) {
            child_.contact().look_behind_the_word();
        }
        const Progress progress = look_at_child(item);
        if (progress != Progress::done) {
            return progress;
        }
        wait.is_past_deadline =
            woken == Waiter::Woken::deadline && std::chrono::steady_clock::now() >= first;
        const bool has_ended = program_runs() && woken == Waiter::Woken::child_ended;
        if (has_ended) {
            waiter_.watch_child(-1);  // told once
        }
        if (has_ended || wait.is_past_deadline ||
            (woken == Waiter::Woken::event && waiter_.which() == 0)) {
            waiter_.let_go();
            return Progress::done;
        }
    }
}

Course::Progress Course::after_part(std::uint32_t item) {
    if (is_late()) {
        return fail(late(WhichSide::parent, item,
                         "the parent was in '" + schedule_.items[item].name + "' until now"));
    }
    return look_at_child(item);
}

Course::Progress Course::look_at_child(std::uint32_t item) {
    if (phase_ != Phase::items) {
        return Progress::done;
    }
    const Outcome outcome = child_.contact().look();
    return outcome == Outcome::timed_out ? Progress::done : judge(outcome, item);
}

Course::Progress Course::meet(std::uint32_t item) {
    const bool may_sleep = waiter_.may_leave_it_to_the_barrier();
    for (;;) {
        const auto outcome =
            child_.contact().meet(schedule_.items[item], item == schedule_.ready_to_exec,
                                  may_sleep ? deadline_ : Deadline());
        if (outcome) {
            return after_meeting(item, *outcome);
        }
        const Waiter::Woken woken = waiter_.wait(deadline_, child_.contact().polled());
        if (const auto stopped = stop_at(woken, WhichSide::parent, item)) {
            return *stopped;
        }
        if (woken == Waiter::Woken::deadline) {
            return fail(late_child());
        }
        if (woken == Waiter::Woken::child_ended) {
            child_.contact().look_behind_the_word();
        }
    }
}

Course::Progress Course::after_meeting(std::uint32_t item, Outcome outcome) {
    const bool is_last = item == schedule_.ready_to_exec;
    if (is_last && outcome == Outcome::aborted_there && child_.is_through()) {
        // The program has aborted already: that superseded the child's last place. Not a failure of
        // the setup.
        return Progress::done;
    }
    // A meeting in time is found late where this process was stopped meanwhile. A child that is through
    // has won: it executes the program.
    const bool was_late = outcome == Outcome::reached && is_late() &&
                          !(is_last && child_.record().commit.load() == Commit::hot);
    return judge(was_late ? Outcome::timed_out : outcome, item);
}

std::chrono::nanoseconds Course::time_of_child_in(std::uint32_t item) const {
    std::int64_t began = child_.record().times(WhichSide::child, item).began;
    const std::int64_t now = monotonic_now();
    if (began <= began_ || began > now) {  // not even there yet, or nonsense
        began = began_;
    }
    return std::chrono::nanoseconds(now - began);
}

LaunchWait Course::waits_for_child() const {
    const std::uint32_t item = child_.item();
    return {stage_of(schedule_.items[item].kind), WhichSide::child, schedule_.items[item].name,
            time_of_child_in(item)};
}

LaunchWait Course::waits_for_part(std::uint32_t item) const {
    const std::int64_t began = phase_ == Phase::before_start
                                   ? before_start_.back().began
                                   : child_.record().times(WhichSide::parent, item).began.load();
    return {stage_of(schedule_.items[item].kind), WhichSide::parent, schedule_.items[item].name,
            std::chrono::nanoseconds(monotonic_now() - began)};
}

LaunchWait Course::waits_for() const {
    switch (phase_) {
        case Phase::before_start:
        case Phase::items:
        case Phase::after_execve: {
            const auto& items = phase_ == Phase::before_start ? schedule_.before_start
                                : phase_ == Phase::items      ? schedule_.parent
                                                              : schedule_.after_execve;
            if (!has_begun_ || next_ >= items.size()) {
                return {};
            }
            const bool is_meeting = schedule_.items[items[next_]].kind == ItemKind::rendezvous;
            return is_meeting ? waits_for_child() : waits_for_part(items[next_]);
        }
        case Phase::execve:
            return waits_for_child();
        case Phase::readiness:
            return {Stage::readiness, WhichSide::child, schedule_.items[schedule_.readiness].name,
                    waits_for_part(schedule_.readiness).since};
        default:
            return {};
    }
}

// What the end of an operation on the barrier means for the launch.
Course::Progress Course::judge(Outcome outcome, std::uint32_t item) {
    switch (outcome) {
        case Outcome::reached:
            return Progress::done;
        case Outcome::timed_out:
            return fail(late_child());
        case Outcome::failed:
            return fail(Failure::of_a_wait(item, child_.barrier().error().value(), "barrier"));
        default:
            return fail(Failure::told_by_the_child());
    }
}

}  // namespace syncspawn::detail
