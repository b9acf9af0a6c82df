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
        case EINVAL:
            return "seccomp: the kernel refuses the code of the filter";
        case ENOMEM:
            return "seccomp: all filters of a process together have 32768 instructions at most";
        default:
            return "seccomp";
    }
}

}  // namespace

std::error_code install_filter(ChildSide& side, const sock_fprog& program) noexcept {
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) {
        return side.done();
    }
    const int error = errno;
    return side.fail(error, meaning_of(error));
}

}  // namespace syncspawn::sandbox
