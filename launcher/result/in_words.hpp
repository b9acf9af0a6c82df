#pragma once

#include <chrono>
#include <string>

namespace syncspawn::detail {

// "2 s", "1500 ms", "20 us".
std::string in_words(std::chrono::nanoseconds duration);

}  // namespace syncspawn::detail
