#include "course.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "launcher/result/process_state.hpp"
#include "launcher/result/program_state.hpp"
#include "launcher/result/spawn_error_facts.hpp"
#include "launcher/result/within.hpp"

namespace syncspawn::detail {
namespace {

using std::chrono::steady_clock;

constexpr auto first_pause = std::chrono::milliseconds(5);

}  // namespace

Course::Course(std::shared_ptr<const Definition> definition, Waiter::Manner manner,
               Deadline deadline_of_all)
    : definition_(std::move(definition)),
      options_(definition_->options),
      schedule_(definition_->schedule),
      deadline_of_all_(deadline_of_all),
      child_(definition_),
      waiter_(manner, options_.setup.cancel_when_readable),
      parts_(schedule_, child_),
      output_(child_.streams()),
      unwinding_(child_, waiter_, options_.setup.abort_grace) {}

Course::~Course() {
    if (!is_of_this_process()) {
        child_.forget_loan();
        return;
    }
    if (child_.is_there()) {  // dropped on the way, or an exception passed by
        unwinding_.finish_now(program_runs() ? Unwinding::Program::has_run
                                             : Unwinding::Program::may_have_run);
    }
    if (!is_over()) {
        (void)parts_.undo_all();
    }
}

bool Course::advance() {
    if (is_in_a_pass_) {
        throw std::logic_error(
            "syncspawn::Launch: a part of the parent cannot advance its own launch");
    }
    while (phase_ != Phase::over) {
        const Progress progress = pass();
        if (std::exchange(is_to_be_cancelled_, false)) {
            cancel();
        } else if (progress == Progress::waits) {
            return false;
        } else if (progress == Progress::done) {
            enter_next_phase();
        }
    }
    return true;
}

Course::Progress Course::pass() {
    const Within pass(is_in_a_pass_);
    switch (phase_) {
        case Phase::opening:
            return open();
        case Phase::before_start:
            return pass_items(schedule_.before_start);
        case Phase::preparation:
            return prepare();
        case Phase::items:
            return pass_items(schedule_.parent);
        case Phase::execve:
            return await_execve();
        case Phase::after_execve:
            return pass_items(schedule_.after_execve);
        case Phase::readiness:
            return await_readiness();
        case Phase::unwinding:
            return unwind();
        case Phase::over:
            break;
    }
    return Progress::done;
}

Course::Phase Course::next_phase() const {
    switch (phase_) {
        case Phase::opening:
            return Phase::before_start;
        case Phase::before_start:
            return Phase::preparation;
        case Phase::preparation:
            return Phase::items;
        case Phase::items:
            return Phase::execve;
        case Phase::execve:
            return Phase::after_execve;
        case Phase::after_execve:
            return options_.readiness.within ? Phase::readiness : Phase::over;
        case Phase::readiness:
        case Phase::unwinding:
        case Phase::over:
            break;
    }
    return Phase::over;
}

void Course::enter_next_phase() {
    const Phase next = next_phase();
    if (next == Phase::over) {
        if (phase_ != Phase::unwinding) {
            make_process();
        }
        waiter_.close();
        parts_.forget();
        child_.sent().close();
    }
    if (next == Phase::preparation || next == Phase::after_execve) {
        next_ = 0;
    } else if (next == Phase::readiness) {
        waiter_.watch_child(child_.handle().pidfd());  // which a part may have been told of
    }
    phase_ = next;
    has_begun_ = false;
}

bool Course::turns_out_to_be_over() {
    const bool is_last = phase_ == Phase::execve ||
                         (phase_ == Phase::items && next_ + 1 == schedule_.parent.size() &&
                          schedule_.items[schedule_.parent[next_]].kind == ItemKind::rendezvous);
    return is_last && child_.is_through() && schedule_.after_execve.empty() &&
           !options_.readiness.within && advance();
}

UniqueFd Course::take_stream(int number) {
    constexpr const char* whose = "syncspawn::Launch";
    if (phase_ < Phase::items) {
        throw std::logic_error(std::string(whose) + ": no child has been started yet");
    }
    return child_.streams().take(number, whose);
}

Process Course::take_result(SpawnError& error) {
    error = error_;
    return std::move(process_);
}

Course::Progress Course::open() {
    owner_ = own_pid();
    try {
        waiter_.open();
    } catch (const std::system_error& failure) {
        return fail_without_child(failure);
    }
    if (options_.setup.within || deadline_of_all_ < Deadline::max()) {
        const auto within = options_.setup.within.value_or(std::chrono::nanoseconds::max());
        deadline_ = std::min(after(within), deadline_of_all_);
    }
    return Progress::done;
}

Course::Progress Course::prepare() {
    try {
        child_.open();
        readiness_ = make_readiness(definition_->plan, child_.barrier());
        std::optional<SpawnError::Facts> why_not = child_.start(waiter_, readiness_.get());
        if (why_not) {
            return fail_without_child(std::move(*why_not));
        }
    } catch (const std::system_error& failure) {
        return fail_without_child(failure);
    }
    waiter_.watch_child(child_.handle().pidfd());
    if (child_.went_alone()) {
        next_ = schedule_.parent.size();
    }
    return Progress::done;
}

Course::Progress Course::pass_items(const std::vector<std::uint32_t>& items) {
    for (; next_ < items.size(); ++next_) {
        const std::uint32_t item = items[next_];
        if (!has_begun_) {
            if (is_cancelled()) {
                return fail(Failure::cancellation(WhichSide::parent, item));
            }
            if (is_late()) {
                return fail(phase_ == Phase::items ? late_child() : late_before(item));
            }
            note_begin(item);
            has_begun_ = true;
        }
        const bool is_meeting = schedule_.items[item].kind == ItemKind::rendezvous;
        const Progress progress = is_meeting ? meet(item) : pass_part(item);
        if (progress != Progress::done) {
            return progress;
        }
        note_end(item);
        has_begun_ = false;
    }
    return Progress::done;
}

Waiter::Woken Course::wait_for_execve(Deadline until) {
    if (!child_.contact().goes_by_words()) {
        return waiter_.wait(until, hung_up(child_.end_of_setup()));
    }
    return child_.contact().child_leaves_by(until) ? Waiter::Woken::child_ended
                                                   : Waiter::Woken::deadline;
}

// A foreign holder of the pipe (another thread's fork, before its own execve) hides its end of file. A
// death still shows by the pidfd, and an execve by a look from time to time.
Course::Progress Course::await_execve() {
    if (child_.has_left_memory()) {  // by its execve or its death
        return after_execve();
    }
    if (!has_begun_) {
        pause_ = first_pause;
        phase_deadline_ = after(pause_);
        has_begun_ = true;
    }
    for (;;) {
        const Deadline next = std::min(*phase_deadline_, deadline_.value_or(Deadline::max()));
        switch (wait_for_execve(next)) {
            case Waiter::Woken::nothing:
                return Progress::waits;
            case Waiter::Woken::failure:
                return fail(Failure::of_a_wait(schedule_.ready_to_exec, waiter_.error(),
                                               "ppoll"));  // not execve itself
            case Waiter::Woken::cancelled:
                return fail(Failure::cancellation(WhichSide::child, schedule_.execve));
            case Waiter::Woken::deadline:
                break;
            default:
                return after_execve();
        }
        if (child_.is_running()) {
            return after_execve();
        }
        if (is_late()) {
            return fail(late_child());
        }
        phase_deadline_ = after(pause_ *= 2);
    }
}

// The end of file comes from execve, from a death, or from a part that closed descriptors it does
// not own; the commit word tells the last one from the first.
Course::Progress Course::after_execve() {
    if (!child_.is_through() || child_.execution() == Execution::never) {
        return fail(Failure::told_by_the_child());
    }
    child_.record().end(WhichSide::parent, schedule_.execve);
    child_.note_execve();
    if (!schedule_.after_execve.empty()) {
        await_rest_of_execve(child_.handle().pid());
    }
    return Progress::done;
}

Course::Progress Course::await_readiness() {
    if (!has_begun_) {
        child_.record().begin(WhichSide::parent, schedule_.readiness);
        phase_deadline_ = std::min(after(*options_.readiness.within), deadline_of_all_);
        readiness_->begin();
        has_begun_ = true;
    }
    const bool may_sleep = waiter_.may_leave_it_to_the_barrier() && !output_.is_there();
    bool has_ended = false;
    for (;;) {
        const Readiness::Answer answer =
            readiness_->advance(may_sleep ? *phase_deadline_ : Deadline());
        if (answer != Readiness::Answer::not_yet) {
            return after_readiness(answer);
        }
        if (has_ended) {  // and what it had said before was not enough
            return fail(Failure::told_by_the_child());
        }
        if (const auto where = output_.look()) {
            return fail(stuck_program(*where));
        }
        const Deadline next =
            std::min({*phase_deadline_, readiness_->look_again_at().value_or(Deadline::max()),
                      output_.look_again_at().value_or(Deadline::max())});
        const Waiter::Woken woken = waiter_.wait(next, readiness_->polled(), output_.polled());
        if (const auto stopped = stop_at(woken, WhichSide::child, schedule_.readiness)) {
            return *stopped;
        }
        if (woken == Waiter::Woken::deadline && steady_clock::now() >= *phase_deadline_) {
            return fail(late_program());
        }
        has_ended = woken == Waiter::Woken::child_ended;
    }
}

Course::Progress Course::after_readiness(Readiness::Answer answer) {
    if (answer == Readiness::Answer::failed) {
        Readiness::Failure why = readiness_->failure();
        return fail(
            {why.side, schedule_.readiness, why.cause, why.error, std::move(why.detail), why.call});
    }
    child_.record().end(WhichSide::parent, schedule_.readiness);
    return Progress::done;
}

void Course::make_process() {
    auto state = std::make_unique<Process::State>();
    state->stop = &options_.ending.stop;
    state->trace = trace();
    if (readiness_) {
        readiness_->leave_in(*state);
    }
    state->after_end = parts_.hand_over();
    child_.leave_in(*state);
    process_ = Process(std::move(state));
}

}  // namespace syncspawn::detail
