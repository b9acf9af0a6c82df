#pragma once

#include "launcher/child/sanitizers.hpp"

#if defined(__SANITIZE_THREAD__)
#define SYNCSPAWN_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYNCSPAWN_THREAD_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SYNCSPAWN_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SYNCSPAWN_ADDRESS_SANITIZER 1
#endif
#endif

namespace syncspawn::testing {

// Whether this is built with a sanitizer, which makes fork and every access slow.
#if defined(SYNCSPAWN_ADDRESS_SANITIZER) || defined(SYNCSPAWN_THREAD_SANITIZER)
#define SYNCSPAWN_SANITIZED 1
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace syncspawn::testing
