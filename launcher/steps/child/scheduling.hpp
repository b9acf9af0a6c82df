#pragma once

#include <span>
#include <system_error>

#include <syncspawn/launcher/step.hpp>

// In the child, for this thread alone, which is its only one.

namespace syncspawn::steps {

std::error_code set_nice(ChildSide& side, int value) noexcept;
std::error_code set_policy(ChildSide& side, int policy, int priority) noexcept;
// One bit for each CPU.
std::error_code set_affinity(ChildSide& side, std::span<const unsigned long> cpus) noexcept;

}  // namespace syncspawn::steps
