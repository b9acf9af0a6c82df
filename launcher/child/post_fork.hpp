#pragma once

#include "plan.hpp"

namespace syncspawn::detail {

// The child's whole life up to execve. Does not return. The plan is copied first of all.
[[noreturn]] void run_child(const Plan& plan, const Arrival& arrival) noexcept;

}  // namespace syncspawn::detail
