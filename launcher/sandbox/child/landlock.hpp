#pragma once

#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

std::error_code enter_landlock(ChildSide& side, int ruleset, unsigned flags) noexcept;

}  // namespace syncspawn::sandbox
