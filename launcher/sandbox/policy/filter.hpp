#pragma once

#include <vector>

#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>
#include <syncspawn/sandbox/system_calls.hpp>

#include "decision.hpp"

namespace syncspawn::sandbox {

// The one filter of a policy: the system calls that it denies, and the sockets that its network does not have. It
// has no rule where nothing is to be filtered.
SystemCallFilter filter_of(const Policy& policy, const Decisions& decisions,
                           std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
