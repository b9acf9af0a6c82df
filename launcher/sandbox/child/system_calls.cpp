#include "system_calls.hpp"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace syncspawn::sandbox {
namespace {

const char* meaning_of(int error) noexcept {
    switch (error) {
        case EACCES:
            return "seccomp: it takes no_new_privs: add steps::no_new_privileges()";
        case EPERM:
        case ENOSYS:
            return "seccomp: a filter that is in force already refuses this one";
        case EBUSY:
            return "seccomp: a process has one filter with a listener at most";
        case EINVAL:
            return "seccomp: the kernel refuses the code of the filter";
        case ENOMEM:
            return "seccomp: all filters of a process together have 32768 instructions at most";
        default:
            return "seccomp";
    }
}

long install(unsigned flags, const sock_fprog& program) noexcept {
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

std::error_code refusal(ChildSide& side) noexcept {
    const int error = errno;
    return side.fail(error, meaning_of(error));
}

}  // namespace

std::error_code install_filter(ChildSide& side, const sock_fprog& program) noexcept {
    return install(0, program) == 0 ? side.done() : refusal(side);
}

std::error_code install_filter_with_listener(ChildSide& side, const sock_fprog& program) noexcept {
    // Close-on-exec by itself. To close it here is one call more that the filter would have to allow.
    const long listener = install(SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
    return listener < 0 ? refusal(side) : side.send_descriptor(static_cast<int>(listener));
}

}  // namespace syncspawn::sandbox
