#pragma once

#include <chrono>
#include <string>

namespace syncspawn::tools {

// "2", "1.5s", "200ms", "3m", "1h30m", "2d"; without a unit, seconds. Throws UsageError.
std::chrono::nanoseconds parse_duration(const std::string& text);

[[nodiscard]] bool is_duration(const std::string& text);

}  // namespace syncspawn::tools
