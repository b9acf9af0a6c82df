#pragma once

#include "plan.hpp"

namespace syncspawn::detail {

// The child's whole life up to execve. Does not return.
[[noreturn]] void run_child(const Plan& plan) noexcept;

}  // namespace syncspawn::detail
