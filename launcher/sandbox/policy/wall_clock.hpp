#pragma once

#include <chrono>

#include <syncspawn/launcher/step.hpp>

namespace syncspawn::sandbox {

// So long after its execve the program is killed, by a thread of this process that watches it until it has ended.
Step wall_clock(std::chrono::nanoseconds limit);

}  // namespace syncspawn::sandbox
