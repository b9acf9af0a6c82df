#pragma once

namespace syncspawn::detail {

// Whether the program was executed as a guardian.
bool is_guardian(const char* const* arguments) noexcept;
[[noreturn]] void guard(const char* const* arguments) noexcept;

}  // namespace syncspawn::detail
