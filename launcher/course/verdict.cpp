#include "verdict.hpp"

#include <cerrno>
#include <utility>

#include "launcher/result/told_code.hpp"

namespace syncspawn::detail {
namespace {

SpawnError::Facts facts_of(const Failure& failure, const Schedule& schedule) {
    const Item& item = schedule.items[failure.item];
    return {.side = failure.side,
            .stage = stage_of(item.kind),
            .cause = failure.cause,
            .step = item.name,
            .error = failure.error,
            .code = failure.code,
            .detail = failure.detail,
            .call = failure.call};
}

// The child could write anything there.
Failure childs_report(const FailureSlot& slot, const Schedule& schedule) {
    ToldCode told = told_code(slot);
    return {WhichSide::child,
            slot.item < schedule.items.size() ? slot.item : schedule.begin,
            slot.way == Failing::by_exception ? Cause::exception : Cause::error,
            told.error,
            std::move(told.detail),
            slot.call,
            told.code};
}

Cause cause_of_end(const Evidence& evidence) {
    if (!evidence.ended_by_itself || !evidence.status) {
        return Cause::disconnected;
    }
    return evidence.status->kind() == ExitStatus::Kind::killed ? Cause::killed : Cause::exited;
}

SpawnError::Facts end_of_child(const Evidence& evidence, const Schedule& schedule) {
    const std::uint32_t item = evidence.program_has_run ? schedule.readiness : evidence.childs_item;
    const Cause cause = cause_of_end(evidence);
    SpawnError::Facts facts = facts_of({WhichSide::child, item, cause, ECHILD}, schedule);
    if (cause != Cause::disconnected) {
        facts.status = evidence.status;
    }
    return facts;
}

SpawnError::Facts first_cause(const Evidence& evidence, const Schedule& schedule) {
    if (evidence.claimed) {
        return facts_of(childs_report(*evidence.claimed, schedule), schedule);
    }
    if (!evidence.own.is_told_by_the_child() && !evidence.child_died_first) {
        return facts_of(evidence.own, schedule);
    }
    return end_of_child(evidence, schedule);
}

}  // namespace

SpawnError::Facts verdict(const Evidence& evidence, const Schedule& schedule) {
    SpawnError::Facts facts = first_cause(evidence, schedule);
    const bool failed_to_execute = facts.stage == Stage::execve && facts.cause == Cause::error;
    facts.program_may_have_run = facts.call == KnownCall::reaper ||
                                 facts.call == KnownCall::behind_execve ||
                                 (!failed_to_execute && !evidence.never_executed);
    facts.why_it_survived = evidence.why_it_survived;
    return facts;
}

}  // namespace syncspawn::detail
