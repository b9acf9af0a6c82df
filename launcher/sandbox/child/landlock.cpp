#include "landlock.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446  // Linux 5.13
#endif

namespace syncspawn::sandbox {

std::error_code enter_landlock(ChildSide& side, int ruleset, unsigned flags) noexcept {
    if (syscall(SYS_landlock_restrict_self, ruleset, flags) == 0) {
        return side.done();
    }
    const int error = errno;
    if (error == EPERM && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) {
        return side.fail(
            error,
            "landlock_restrict_self (before it: steps::no_new_privileges(), or CAP_SYS_ADMIN)");
    }
    return side.fail(error, error == E2BIG
                                ? "landlock_restrict_self (16 layers are all there can be)"
                                : "landlock_restrict_self");
}

}  // namespace syncspawn::sandbox
