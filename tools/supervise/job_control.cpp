#include "job_control.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "held_signals.hpp"

namespace syncspawn::tools {
namespace {

// Without one no call succeeds, and nothing is remembered.
UniqueFd open_terminal() { return UniqueFd(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)); }

}  // namespace

void Foreground::remember(pid_t program) {
    const UniqueFd terminal = open_terminal();
    const pid_t group = getpgid(program);
    lent_to_ = group != getpgrp() && tcgetpgrp(terminal.get()) == group ? group : 0;
}

bool Foreground::give_back() {
    const UniqueFd terminal = open_terminal();
    const pid_t group = std::exchange(lent_to_, 0);
    if (group != 0 && tcgetpgrp(terminal.get()) == getpgrp()) {
        tcsetpgrp(terminal.get(), group);  // SIGTTOU is blocked
    }
    return group != 0 && kill(-group, SIGCONT) == 0;
}

void stop_by(int signal) {
    const sigset_t set = set_of(signal);
    sigset_t before;
    sigset_t pending;
    raise(signal);  // pending while it is blocked
    // One that continues us discards it, but only if it comes after. One that came before is for now, too.
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1) {
        const timespec now{};
        sigtimedwait(&set, nullptr, &now);
        return;
    }
    sigprocmask(SIG_UNBLOCK, &set, &before);
    sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace syncspawn::tools
