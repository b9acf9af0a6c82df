#pragma once

#include <span>
#include <system_error>

#include <syncspawn/launcher/step.hpp>
#include <syncspawn/launcher/steps/resource_limits.hpp>

namespace syncspawn::steps {

// "RLIMIT_NOFILE"; null if there is no such resource.
const char* name_of_resource(int resource) noexcept;

// While the child may still raise limits, and the launch needs descriptors: RLIMIT_NOFILE is not lowered yet.
std::error_code set_limits(ChildSide& side, std::span<const ResourceLimit> limits) noexcept;
// When it needs none any more.
std::error_code settle_open_files(ChildSide& side, std::span<const ResourceLimit> limits) noexcept;

}  // namespace syncspawn::steps
