#include "process_attributes.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace syncspawn::steps {

void set_umask(mode_t mask) noexcept { syscall(SYS_umask, mask); }

std::error_code renounce_new_privileges(ChildSide& side) noexcept {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? side.fail("prctl(PR_SET_NO_NEW_PRIVS)")
                                                      : side.done();
}

// There is no moment without one: a parent that dies before is told of by SIGKILL.
std::error_code replace_death_signal(ChildSide& side, int signal) noexcept {
    int present = 0;
    if (prctl(PR_GET_PDEATHSIG, &present) < 0) {
        return side.fail("prctl(PR_GET_PDEATHSIG)");
    }
    if (present != SIGKILL) {  // which stays until here by that option alone
        return side.fail(EINVAL, "it takes ending.die_with_parent, too");
    }
    return prctl(PR_SET_PDEATHSIG, signal) < 0 ? side.fail("prctl(PR_SET_PDEATHSIG)") : side.done();
}

}  // namespace syncspawn::steps
