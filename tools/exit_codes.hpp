#pragma once

// What `syncspawn` exits with beside the program's own status: 124 and 125 as timeout(1) does, 126 and
// 127 as a shell and timeout(1) do.

namespace syncspawn::tools {

constexpr int exit_aborted = 1;           // barrier: the other side aborted or is gone
constexpr int exit_timed_out = 124;       // barrier: the deadline passed
constexpr int exit_own_failure = 125;     // usage, or a launch that failed before execve
constexpr int exit_not_executable = 126;  // the program is there, but cannot be executed
constexpr int exit_not_found = 127;       // the program is not there
constexpr int exit_signal_base = 128;     // + a signal: only where it cannot be died of

}  // namespace syncspawn::tools
