#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "newer_calls.hpp"

namespace syncspawn::detail {

// The system call, whose fifth argument waitid(3) hides. The kernel's struct is the C library's: getrusage(2)
// has the same.
inline int wait_id(idtype_t type, int id, siginfo_t& info, int options, rusage* used) noexcept {
    return static_cast<int>(syscall(SYS_waitid, type, id, &info, options, used));
}

// Of a child that is not reaped yet, whatever signal tells of its end: one that shares memory has none before its
// execve.
inline int wait_by_pid(pid_t child, siginfo_t& info, int options, rusage* used = nullptr) noexcept {
    const int result = wait_id(P_PID, child, info, options | __WALL, used);
    return result < 0 && is_not_here(NewerCall::waitid_all, errno)
               ? wait_id(P_PID, child, info, options, used)
               : result;
}

}  // namespace syncspawn::detail
