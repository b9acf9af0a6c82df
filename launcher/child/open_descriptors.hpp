#pragma once

#include <cstddef>

// Closing what was not asked for. Async-signal-safe; false with errno if it cannot be done.

namespace syncspawn::detail {

// Closes everything from 3 on but the `count` descriptors of `kept`, which are sorted.
bool close_all_but(const int* kept, std::size_t count) noexcept;

// Marks everything close-on-exec but the `count` descriptors of `kept`, in any order, whose flags stay.
bool close_on_exec_all_but(const int* kept, std::size_t count) noexcept;

}  // namespace syncspawn::detail
