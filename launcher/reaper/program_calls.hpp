#pragma once

#include <sys/syscall.h>

#include "barrier/linux/clone_with_stack.hpp"

// System calls of the programs that are part of the library's own file. They have no C library.

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY

namespace syncspawn::detail {

constexpr long no_argument = 0;
constexpr unsigned long all_signals = ~0UL;
constexpr long size_of_signals = sizeof all_signals;

inline long call(long number, long first = no_argument, long second = no_argument,
                 long third = no_argument, long fourth = no_argument) noexcept {
    return call_without_errno(number, first, second, third, fourth);
}

template <class Object>
long address_of(Object& object) noexcept {
    return reinterpret_cast<long>(&object);
}

inline long text_at(const char* text) noexcept { return reinterpret_cast<long>(text); }

[[noreturn]] inline void leave(int code) noexcept {
    for (;;) {
        call(SYS_exit_group, code);
    }
}

}  // namespace syncspawn::detail

#endif
