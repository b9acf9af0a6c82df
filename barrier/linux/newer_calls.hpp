#pragma once

#include <array>
#include <cerrno>

// The newer system calls, and which of their errors mean "not here": from the kernel (too old), from a
// seccomp filter (which may answer what it likes, mostly ENOSYS or EPERM), from an emulation. Every call
// in this table has an older way, taken on each of these answers; any other answer is an error. Not in it
// is close_range(2), for whatever that answers, the descriptors are closed one by one.

namespace syncspawn::detail {

enum class NewerCall {
    preadv2_nowait,     // read(2), which may block if the peer takes O_NONBLOCK away
    clone3,             // clone(2)
    clone_pidfd,        // the flag of clone(2); pidfd_open(2)
    pidfd_open,         // the pid of a child that is not reaped yet
    pidfd_send_signal,  // kill(2), likewise
    waitid_pidfd,       // waitid(2) by pid, likewise
    waitid_all,         // without __WALL
};

struct NotHere {
    NewerCall call;
    std::array<int, 5> errors;  // 0: none
};

// Sources: the section VERSIONS and ERRORS of the manual page of each call.
inline constexpr std::array answers_not_here{
    // RWF_NOWAIT of an eventfd: Linux 5.8; of any file: 4.14. EINVAL: flags unknown before that.
    NotHere{NewerCall::preadv2_nowait, {ENOSYS, EPERM, EINVAL, EOPNOTSUPP}},
    // Linux 5.3. E2BIG: fields that it does not know yet, and EINVAL: flags, as the cgroup of 5.7.
    NotHere{NewerCall::clone3, {ENOSYS, EPERM, EINVAL, EOPNOTSUPP, E2BIG}},
    NotHere{NewerCall::clone_pidfd, {EINVAL}},  // Linux 5.2
    // Linux 5.3. No EINVAL: it would be the pid that is wrong.
    NotHere{NewerCall::pidfd_open, {ENOSYS, EPERM, EOPNOTSUPP}},
    // Linux 5.1. EPERM of the kernel comes from kill(2) as well.
    NotHere{NewerCall::pidfd_send_signal, {ENOSYS, EPERM, EINVAL, EOPNOTSUPP}},
    NotHere{NewerCall::waitid_pidfd, {EINVAL}},  // Linux 5.4
    NotHere{NewerCall::waitid_all, {EINVAL}},    // Linux 4.7
};

// Async-signal-safe.
constexpr bool is_not_here(NewerCall call, int error) noexcept {
    for (const NotHere& row : answers_not_here) {
        if (row.call == call) {
            for (const int answer : row.errors) {
                if (answer != 0 && answer == error) {
                    return true;
                }
            }
        }
    }
    return false;
}

}  // namespace syncspawn::detail
