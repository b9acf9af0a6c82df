#include "barrier_readiness.hpp"

#include <cerrno>

#include "launcher/result/process_state.hpp"
#include "launcher/result/program_state.hpp"

namespace syncspawn::detail {

HandOverPlan BarrierReadiness::plan(const PlanStorage& storage) {
    environment_ = storage.handed_environment();
    return environment_.plan();
}

Readiness::Answer BarrierReadiness::advance(const std::optional<Deadline>& may_wait_until) {
    outcome_ = meeting_.advance(may_wait_until);
    if (!outcome_) {
        return Answer::not_yet;
    }
    return outcome_ == Outcome::reached ? Answer::ready : Answer::failed;
}

Readiness::Failure BarrierReadiness::failure() const {
    switch (outcome_.value_or(Outcome::peer_gone)) {
        case Outcome::aborted_there:
            return {.cause = Cause::aborted, .error = ECANCELED};
        case Outcome::failed:
            return {.side = WhichSide::parent,
                    .cause = Cause::error,
                    .error = barrier_.error().value(),
                    .detail = "barrier",
                    .call = KnownCall::other};
        default:
            return {};
    }
}

std::string BarrierReadiness::words_if_late(pid_t program) const {
    switch (attachment_of(program, *barrier_.native())) {
        case Attachment::never:
            return "the program itself never attached to its barrier";
        case Attachment::attached:
            return "it has attached to its barrier";
        case Attachment::unknown:
            break;
    }
    return {};
}

// What the program has placed already may have been read together with the last place of the setup. It goes
// back, for whoever waits for it.
void BarrierReadiness::leave_in(Process::State& state) {
    (void)barrier_.put_back();
    state.barrier = std::move(barrier_);
}

}  // namespace syncspawn::detail
