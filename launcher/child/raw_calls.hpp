#pragma once

#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

// The rule for code that runs between the start of the child and its execve: of the C library it calls
// only what is a bare system call or touches nothing but its arguments. A lock of the C library may be
// held by a thread that the child has no copy of or, with shared memory, by one of the parent, and which
// functions take one changes from version to version. The functions that may be called are listed in
// tests/launcher/child/calls/allowed; a test compares that with the object files. Here is what replaces others.

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

namespace syncspawn::detail::raw {

// What the kernel takes and gives where sigaction(3) has its own struct. The handler comes first on
// every processor but MIPS, and all zeroes mean the default action on all of them: no more is needed.
struct SignalAction {
    unsigned long handler = 0;
    unsigned long rest[15] = {};
};

#ifdef __mips__
#error "the handler is not the first member of the kernel's struct sigaction here"
#endif

constexpr unsigned long default_action = 0;  // SIG_DFL
constexpr unsigned long ignored = 1;         // SIG_IGN
// The kernel's own set: one bit for each signal.
constexpr unsigned long signal_set_size = _NSIG / 8;

// Not sigaction(3): glibc 2.41 takes the lock there that its posix_spawn and abort hold.
inline bool get_action(int signal, SignalAction& action) noexcept {
    return syscall(SYS_rt_sigaction, signal, nullptr, &action, signal_set_size) == 0;
}
inline bool set_action(int signal, const SignalAction& action) noexcept {
    return syscall(SYS_rt_sigaction, signal, &action, nullptr, signal_set_size) == 0;
}

// Not sigprocmask(3), which silently leaves out the signals that the C library uses itself.
inline bool set_mask(const sigset_t& mask) noexcept {
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, signal_set_size) == 0;
}

// The kernel's set, whose size is this on every processor but MIPS.
struct SignalSet {
    std::uint64_t bits = 0;
};
constexpr SignalSet all_signals{UINT64_MAX};
static_assert(sizeof(SignalSet) == signal_set_size);

inline bool unblock(int signal) noexcept {
    const unsigned long one[signal_set_size / sizeof(long)] = {1UL << (signal - 1)};
    return syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, one, nullptr, signal_set_size) == 0;
}

// Whether the effective user may execute it. Not faccessat(3): before Linux 5.8, glibc then reads all
// groups, on the stack or with malloc, and musl starts a process.
inline bool may_execute(const char* path) noexcept {
    if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) == 0) {
        return true;
    }
    // For the real user then, which is the same one mostly.
    return errno != EACCES && syscall(SYS_faccessat, AT_FDCWD, path, X_OK) == 0;
}

// Not statvfs(3), which may read /proc/mounts by way of stdio.
inline bool is_mounted_noexec(const char* path) noexcept {
    constexpr unsigned long noexec = 8;  // ST_NOEXEC, statfs(2)
    struct statfs about {};
    return statfs(path, &about) == 0 && (static_cast<unsigned long>(about.f_flags) & noexec) != 0;
}

}  // namespace syncspawn::detail::raw
