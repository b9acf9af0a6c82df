#pragma once

#include <chrono>

namespace syncspawn::tools {

// The time since the launch began, as a Timeline counts it.
class LaunchClock {
public:
    void begin() { began_ = std::chrono::steady_clock::now(); }
    [[nodiscard]] std::chrono::nanoseconds elapsed() const {
        return std::chrono::steady_clock::now() - began_;
    }
    // By CLOCK_MONOTONIC.
    [[nodiscard]] std::chrono::nanoseconds beginning() const { return began_.time_since_epoch(); }

private:
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace syncspawn::tools
