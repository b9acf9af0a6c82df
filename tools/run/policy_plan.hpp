#pragma once

#include <string>

#include <syncspawn/sandbox/policy.hpp>

#include "plan.hpp"
#include "settings.hpp"

namespace syncspawn::tools {

// A policy in the plan of a launch: what is around the program, and its restrictions. Between the two is the place of
// others. Of those the policy takes what it has words for. Throws Complaints: all that is wrong with the policy, with
// its file, and what this machine refuses.
void add_policy_surroundings(RunPlan& plan, RunSettings& settings);
void add_policy_restrictions(RunPlan& plan, const RunSettings& settings);

// That of the file, with all words, and with what other options say that a policy has words for: those are taken out of
// the restrictions. Throws UsageError, or Complaints.
sandbox::Policy whole_policy(RunSettings& settings);

// --save-policy. Throws Complaints. Whether this machine can hold it does not matter.
void save_policy(const sandbox::Policy& policy, const std::string& path);

}  // namespace syncspawn::tools
