#pragma once

#include <functional>
#include <string>
#include <vector>

// Commands, started by posix_spawn.

namespace syncspawn::bench {

using Words = std::vector<std::string>;

// Waits for its end, which must be a success.
std::function<void()> posix_spawner_of(const Words& words);
// bwrap OPTION... -- PROGRAM. Throws std::runtime_error if it is not installed.
std::function<void()> bubblewrap(Words options, const std::string& program);

}  // namespace syncspawn::bench
