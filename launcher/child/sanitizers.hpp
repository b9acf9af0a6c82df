#pragma once

// What there is to know of sanitizers where a child shares this process's memory. Whether one is at work
// is found out at run time: a program that has one may use a library that was built without.

extern "C" {
// The sanitizers' own names, null where there is none.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
[[gnu::weak]] void __tsan_init();
[[gnu::weak]] void __asan_handle_no_return();
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
}

namespace syncspawn::detail {

// The thread sanitizer takes the child's descriptors for the parent's of the same number, and has locks
// and a stack of calls that a child leaves as they are when it executes or is killed.
inline bool is_thread_sanitized() noexcept { return &__tsan_init != nullptr; }

// The child's frames never return; the next child must not meet what guarded their variables.
inline void forget_stack() noexcept {
    if (&__asan_handle_no_return != nullptr) {
        __asan_handle_no_return();
    }
}

}  // namespace syncspawn::detail
