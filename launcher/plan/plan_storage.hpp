#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher/spawn_options.hpp>

#include "launcher/child/plan.hpp"
#include "schedule.hpp"

namespace syncspawn::detail {

// What one launch adds to a plan.
struct LaunchPlan {
    DescriptorPlan descriptors;
    ParentPlan parent;
    HandOverPlan hand_over;
    ReaperPlan reaper;
    int cgroup;  // -1: the parent's
};

// The environment of one launch's program that gets the barrier, with room for its variables.
class HandedEnvironment {
public:
    HandedEnvironment() = default;
    // A copy of these pointers, whose texts must stay.
    explicit HandedEnvironment(std::vector<char*> environment);
    [[nodiscard]] HandOverPlan plan() noexcept;

private:
    std::vector<char*> entries_;
};

// Owns what a plan points to that does not change from launch to launch. The options must outlive it.
class PlanStorage {
public:
    PlanStorage(const SpawnOptions& options, const Schedule& schedule);
    PlanStorage(const PlanStorage&) = delete;
    PlanStorage& operator=(const PlanStorage&) = delete;

    // The plan of one launch, whole. Without a mask of the caller, its signals are not blocked for the start.
    [[nodiscard]] Plan plan_of(const LaunchPlan& launch, const sigset_t* callers_mask,
                               LaunchRecord& record) const noexcept;
    // All of them in the child have the token for it.
    [[nodiscard]] bool parts_may_share_memory() const noexcept { return parts_may_share_memory_; }
    [[nodiscard]] bool changes_credentials() const noexcept { return changes_credentials_; }
    [[nodiscard]] bool hands_over() const noexcept;
    [[nodiscard]] HandedEnvironment handed_environment() const;

private:
    [[nodiscard]] ProgramPlan program_plan() const noexcept;
    [[nodiscard]] OrderPlan order_plan() const noexcept;
    [[nodiscard]] BirthPlan birth_plan(int cgroup) const noexcept;
    [[nodiscard]] SignalPlan signal_plan(const sigset_t* callers_mask) const noexcept;

    const SpawnOptions& options_;
    const Schedule& schedule_;
    bool parts_may_share_memory_ = true;
    bool has_parts_ = false;
    bool changes_credentials_ = false;
    std::vector<std::string> candidate_paths_;
    std::vector<const char*> candidates_;
    std::vector<std::string> argument_texts_;
    std::vector<char*> arguments_;
    std::vector<std::string> environment_texts_;
    std::vector<char*> environment_;
    std::vector<ChildOperation> operations_;
    std::vector<ChildOperation> last_parts_;
};

}  // namespace syncspawn::detail
