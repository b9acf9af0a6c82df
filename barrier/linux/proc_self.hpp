#pragma once

#include <cstdint>

// What /proc says of this process. Async-signal-safe; 0 or false where it does not say.

namespace syncspawn::core::proc {

// Whether the /proc at hand numbers processes as this process does (Linux 4.1: NSpid).
bool is_of_this_pid_namespace() noexcept;
// The inode of this process's pid namespace.
std::int64_t pid_namespace() noexcept;
// The number that tells eventfds apart (Linux 5.2).
std::int64_t eventfd_id(int fd) noexcept;
// Whether `pid` started, directly or not, this process. Needs the /proc of this pid namespace.
bool is_ancestor(std::int64_t pid) noexcept;

}  // namespace syncspawn::core::proc
