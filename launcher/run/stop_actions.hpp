#pragma once

#include <array>
#include <chrono>
#include <csignal>

#include <syncspawn/launcher/ending.hpp>

namespace syncspawn::detail {

// One that SIGKILL has not ended by then is left behind.
inline constexpr std::array kill_within_limit{StopAction{SIGKILL, std::chrono::seconds(5)}};

// The same actions, but none that waits for ever, and SIGKILL at the end. Throws std::invalid_argument.
StopActions limited(StopActions actions);

}  // namespace syncspawn::detail
