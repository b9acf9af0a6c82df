#pragma once

#include <linux/filter.h>

#include <system_error>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

// In a last part.
std::error_code install_filter(ChildSide& side, const sock_fprog& program) noexcept;

// And sends its listener to the parent.
std::error_code install_filter_with_listener(ChildSide& side, const sock_fprog& program) noexcept;

}  // namespace syncspawn::sandbox
