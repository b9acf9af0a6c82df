#include "unwinding.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace syncspawn::detail {
namespace {

// Before the process itself can be seen to have ended, its descriptors are closed already: the time
// between the two was measured at up to 2 ms on an idle machine.
constexpr auto end_after_hang_up = std::chrono::seconds(1);

// Some processes do not end by SIGKILL, or not now. All others have by then.
constexpr auto end_after_kill = std::chrono::seconds(5);

}  // namespace

void Unwinding::begin(Failure own, Program program, const std::optional<Deadline>& limit) {
    evidence_.own = std::move(own);
    evidence_.program_has_run = program == Program::has_run;
    // A part of the parent may have failed because the child had died before; what this library itself
    // called has not, nor has a part behind execve, where a program may end. A program that aborted has said
    // why it ends.
    const Deadline now{};
    const Failure& failure = evidence_.own;
    const bool is_behind_execve = evidence_.program_has_run && failure.side == WhichSide::parent;
    evidence_.child_died_first = !failure.is_told_by_the_child() &&
                                 failure.cause != Cause::aborted &&
                                 !is_of_the_library(failure.call) && !is_behind_execve &&
                                 !ended_as_a_program() && child_.handle().wait_for_end(&now);
    if (failure.is_told_by_the_child() || evidence_.child_died_first) {
        stage_ = Stage::hang_up;
        deadline_ = std::min(after(end_after_hang_up), limit.value_or(Deadline::max()));
    } else {
        child_.record().claim(WhichSide::parent);
        tell_to_end();
    }
}

// Of a program that was executed and has ended before anybody looked, the launch succeeds: so it is no
// reason why one that is cancelled, or late, just then should fail.
bool Unwinding::ended_as_a_program() const {
    const Cause cause = evidence_.own.cause;
    return (cause == Cause::cancelled || cause == Cause::timed_out) && !evidence_.program_has_run &&
           child_.is_through();
}

bool Unwinding::advance() {
    while (stage_ != Stage::burial) {
        const Waiter::Woken woken = waiter_.wait_for_end(child_.handle(), deadline_);
        if (woken == Waiter::Woken::nothing) {
            return false;
        }
        const bool has_ended = woken == Waiter::Woken::child_ended;
        if (stage_ == Stage::death) {
            bury(has_ended);
            continue;
        }
        evidence_.ended_by_itself = evidence_.ended_by_itself || has_ended;
        stage_ == Stage::hang_up ? tell_to_end() : kill();
    }
    return true;
}

void Unwinding::finish_now(Program program) {
    evidence_.program_has_run = evidence_.program_has_run || program == Program::has_run;
    tell_to_end();
    child_.handle().wait_for_end(&*deadline_);
    kill();
    bury(child_.handle().wait_for_end(&*deadline_));
}

// It may leave by itself, after the grace it must. A program that has no barrier does not hear of it.
void Unwinding::tell_to_end() {
    Commit expected = Commit::armed;
    child_.record().commit.compare_exchange_strong(expected, Commit::cancelled);
    child_.contact().give_up();
    stage_ = Stage::grace;
    const bool is_deaf = evidence_.program_has_run && !child_.hands_over_barrier();
    deadline_ = is_deaf ? Deadline() : after(abort_grace_);
}

void Unwinding::kill() {
    const bool is_refused = child_.handle().send_to_scope(SIGKILL) != 0;
    stage_ = Stage::death;
    // A program that has changed its user may not let itself be killed: there is nothing to wait for.
    deadline_ = is_refused && evidence_.program_has_run ? Deadline() : after(end_after_kill);
}

void Unwinding::bury(bool has_ended) {
    LaunchRecord& record = child_.record();
    // Looked at only now: until its end the child may still have got to execve.
    const ChildHandle& child = child_.handle();
    // A reaper takes the commit back when the program's process has died on the way: its own execve comes later.
    evidence_.never_executed =
        record.commit.load() != Commit::hot ||
        (!child.has_reaper() && execution_of(child.pid()) == Execution::never);
    if (has_ended) {
        child_.reap();
        evidence_.status = child_.handle().status();
    } else {
        evidence_.why_it_survived = child_.leave_behind();
    }
    // Copied once: the child could write anything there, at any time.
    if (record.first_failure.load(std::memory_order_acquire) == claim_of(WhichSide::child)) {
        evidence_.claimed = record.child_failure;
    }
    evidence_.childs_item = child_.item();
    stage_ = Stage::burial;
}

}  // namespace syncspawn::detail
