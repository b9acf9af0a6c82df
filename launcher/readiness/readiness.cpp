#include "readiness.hpp"

#include "barrier_readiness.hpp"

namespace syncspawn::detail {

std::unique_ptr<Readiness> make_readiness(const PlanStorage& plan, Barrier& barrier) {
    return plan.hands_over() ? std::make_unique<BarrierReadiness>(barrier) : nullptr;
}

}  // namespace syncspawn::detail
