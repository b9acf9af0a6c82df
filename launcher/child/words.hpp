#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

// How the two sides meet where they share memory and the parent sleeps: each has a word of its own, and writes there
// which rendezvous it has come to. The parent waits for one word alone, whatever becomes of the child.

namespace syncspawn::detail {

using Word = std::atomic<std::uint32_t>;

// The child's: 1 more than the number of its last rendezvous. The kernel makes it 0, and wakes, when the child leaves
// the memory, by execve or by its end (CLONE_CHILD_CLEARTID).
constexpr std::uint32_t childs_word_at(std::uint32_t rendezvous) noexcept { return rendezvous + 1; }
constexpr std::uint32_t left_memory = 0;

// The parent's: the number of its last rendezvous, or this.
constexpr std::uint32_t given_up = UINT32_MAX;

// A death that no word tells of is found by a look from time to time.
constexpr timespec between_looks{0, 100'000'000};

// Who may wake a sleeper. The kernel, at the end of the sharing, wakes those alone that sleep as if other processes had the
// word mapped, which takes it a little longer.
enum class Waker { other_side, kernel };

constexpr int futex_flag(Waker waker) noexcept {
    return waker == Waker::kernel ? 0 : FUTEX_PRIVATE_FLAG;
}

inline void wake(Word& word, Waker as) noexcept {
    syscall(SYS_futex, &word, FUTEX_WAKE | futex_flag(as), 1, nullptr, nullptr, 0);
}

// While the word is `seen`, but no longer than `limit`; may also end for no reason.
inline void sleep_while(Word& word, Waker by, std::uint32_t seen, const timespec& limit) noexcept {
    syscall(SYS_futex, &word, FUTEX_WAIT | futex_flag(by), seen, &limit, nullptr, 0);
}

}  // namespace syncspawn::detail
