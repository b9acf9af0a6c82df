#pragma once

namespace syncspawn::detail {

// A descriptor of the reaper's program, to be executed with execveat(2): memory that nobody can write any more, made at
// the first call of this process. Borrowed, close-on-exec, and above all numbers that anybody arranges. -1 and errno
// if there is none. Thread-safe.
int reaper_file() noexcept;

}  // namespace syncspawn::detail
