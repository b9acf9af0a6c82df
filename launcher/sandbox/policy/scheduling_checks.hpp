#pragma once

#include <vector>

#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

namespace syncspawn::sandbox {

// What the kernel would refuse this process, or a child of it in a user namespace, whose capabilities count for
// nothing here.
void check_scheduling(const Limits& limits, bool has_user_namespace,
                      std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
