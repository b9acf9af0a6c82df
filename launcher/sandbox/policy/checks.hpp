#pragma once

#include <vector>

#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

namespace syncspawn::sandbox {

// What is wrong with the values of a policy, whatever the machine: numbers, names, ids.
void check_values(const Policy& policy, std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
