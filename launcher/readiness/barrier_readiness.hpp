#pragma once

#include <vector>

#include "readiness.hpp"

namespace syncspawn::detail {

// The program takes its side of the barrier over, and is ready when it places on it. Its descriptors and
// the numbers in its variables are the child's to arrange: it alone knows its pid.
class BarrierReadiness final : public Readiness {
public:
    explicit BarrierReadiness(Barrier& barrier) noexcept : barrier_(barrier), meeting_(barrier) {}

    [[nodiscard]] HandOverPlan plan(const PlanStorage& storage) override;
    Answer advance(const std::optional<Deadline>& may_wait_until) override;
    [[nodiscard]] Polled polled() const noexcept override { return meeting_.polled(); }
    [[nodiscard]] Failure failure() const override;
    [[nodiscard]] std::string words_if_late(pid_t program) const override;
    void leave_in(Process::State& state) override;

private:
    Barrier& barrier_;
    Meeting meeting_;
    std::optional<Outcome> outcome_;
    HandedEnvironment environment_;
};

}  // namespace syncspawn::detail
