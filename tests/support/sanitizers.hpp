#pragma once

#include "launcher/sanitizers.hpp"

namespace syncspawn::testing {

// Whether this is built with a sanitizer, which makes fork and every access slow.
#if defined(SYNCSPAWN_ADDRESS_SANITIZER) || defined(SYNCSPAWN_THREAD_SANITIZER)
#define SYNCSPAWN_SANITIZED 1
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace syncspawn::testing
