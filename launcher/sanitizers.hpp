#pragma once

// What there is to know of sanitizers where a child shares this process's memory.

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

#ifdef SYNCSPAWN_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace syncspawn::detail {

// The thread sanitizer takes the child's descriptors for the parent's of the same number, and has locks
// and a stack of calls that a child leaves as they are when it executes or is killed.
#ifdef SYNCSPAWN_THREAD_SANITIZER
inline constexpr bool is_thread_sanitized = true;
#else
inline constexpr bool is_thread_sanitized = false;
#endif

// The child's frames never return; the next child must not meet what guarded their variables.
inline void forget_stack() noexcept {
#ifdef SYNCSPAWN_ADDRESS_SANITIZER
    __asan_handle_no_return();
#endif
}

}  // namespace syncspawn::detail
