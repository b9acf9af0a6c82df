#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher/spawn_options.hpp>

#include "launcher/child/plan.hpp"
#include "schedule.hpp"

namespace syncspawn::detail {

// Owns what a plan points to.
class PlanStorage {
public:
    PlanStorage(const SpawnOptions& options, const Schedule& schedule);

    // The part of the plan that does not change from launch to launch.
    [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
    // With room for the variables of the hand-over: one launch's own, since its child writes there.
    [[nodiscard]] std::vector<char*> environment_for_hand_over() const;

private:
    std::vector<std::string> candidate_paths_;
    std::vector<const char*> candidates_;
    std::vector<std::string> argument_texts_;
    std::vector<char*> arguments_;
    std::vector<std::string> environment_texts_;
    std::vector<char*> environment_;
    std::string working_directory_;
    std::vector<ChildOperation> operations_;
    Plan plan_{};
};

}  // namespace syncspawn::detail
