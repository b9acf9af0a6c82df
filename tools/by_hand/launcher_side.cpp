#include "launcher_side.hpp"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace syncspawn::tools {
namespace {

// Asked before main: who ends while the command line is read has ended, too.
const pid_t parent_at_the_beginning = getppid();

}  // namespace

Step clear_groups() {
    return {.name = "no supplementary groups", .before_start = [](ParentSide& side) {
                return setgroups(0, nullptr) < 0 ? side.fail("setgroups") : side.done();
            }};
}

Step die_with_own_parent() {
    return {.name = "die with the parent", .before_start = [](ParentSide& side) {
                if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
                    return side.fail("prctl(PR_SET_PDEATHSIG)");
                }
                return getppid() == parent_at_the_beginning
                           ? side.done()
                           : side.fail(ESRCH, "the parent has ended already");
            }};
}

}  // namespace syncspawn::tools
