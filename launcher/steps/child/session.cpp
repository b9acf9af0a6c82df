#include "session.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace syncspawn::steps {

std::error_code lead_session(ChildSide& side) noexcept {
    const pid_t self = getpid();
    if (getsid(0) == self) {
        return side.done();
    }
    // The leader of a group must leave that first. The parent's is the one other that is there for sure,
    // though out of sight from a new pid namespace. If this fails, setsid says so.
    if (const pid_t parent = getppid(); getpgid(0) == self && parent > 0) {
        (void)setpgid(0, getpgid(parent));
    }
    return setsid() < 0 ? side.fail("setsid", Hint::session) : side.done();
}

std::error_code take_terminal(ChildSide& side, int terminal) noexcept {
    if (ioctl(terminal, TIOCSCTTY, 0) == 0) {
        return side.done();
    }
    return side.fail(errno == EPERM ? "ioctl(TIOCSCTTY): the terminal controls another session"
                                    : "ioctl(TIOCSCTTY)");
}

}  // namespace syncspawn::steps
