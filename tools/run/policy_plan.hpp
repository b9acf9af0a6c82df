#pragma once

#include "plan.hpp"
#include "settings.hpp"

namespace syncspawn::tools {

// A policy in the plan of a launch: what is around the program before its own restrictions, and those behind. Both do
// nothing without a policy. Throws Complaints: all that is wrong with it, its file, and what this machine refuses.
void add_policy_surroundings(RunPlan& plan, const RunSettings& settings);
void add_policy_restrictions(RunPlan& plan, const RunSettings& settings);

// --save-policy. Throws Complaints. Whether this machine can hold it does not matter.
void save_policy(const PolicySettings& settings);

}  // namespace syncspawn::tools
