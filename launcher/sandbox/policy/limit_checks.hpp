#pragma once

#include <vector>

#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "decision.hpp"

namespace syncspawn::sandbox {

// What the kernel would refuse this process, or a child of it in a user namespace, whose capabilities count for
// nothing here.
void check_limits(const Limits& limits, const Decisions& decisions, std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
