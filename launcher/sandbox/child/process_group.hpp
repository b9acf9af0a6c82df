#pragma once

#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

// The child leads a process group, if it does not already.
std::error_code lead_process_group(ChildSide& side) noexcept;

}  // namespace syncspawn::sandbox
