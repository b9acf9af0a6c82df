#pragma once

#include <sys/types.h>

#include <functional>

namespace syncspawn::detail {

// Runs `work` on a new thread that has all signals blocked and whatever else this one hands on, and waits until
// nothing is left of it. So `work` may change what belongs to a thread alone, and need not take that back. Throws
// std::system_error if the thread cannot be started.
void run_on_passing_thread(const std::function<void()>& work);

// A thread that was joined has left the memory, but the kernel may count it a moment longer, and
// refuses an unshare(2) until then.
void wait_until_gone(pid_t thread) noexcept;

}  // namespace syncspawn::detail
