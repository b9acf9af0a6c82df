#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace syncspawn::tools {

// As many digits as one reads: "0.027", "103.4", "12000".
inline std::string milliseconds(std::chrono::nanoseconds time) {
    const double value = std::chrono::duration<double, std::milli>(time).count();
    char text[40];
    std::snprintf(text, sizeof text, "%.*f", value < 100 ? 3 : value < 10'000 ? 1 : 0, value);
    return text;
}

}  // namespace syncspawn::tools
