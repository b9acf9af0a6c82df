#include "end_as.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "tools/exit_codes.hpp"
#include "tools/messages.hpp"
#include "tools/supervise/held_signals.hpp"

namespace syncspawn::tools {

// A shell says 128 + n of both, but it ends a loop or a script only if its command died of ^C itself.
int end_as(const ExitStatus& status) {
    if (status.kind() == ExitStatus::Kind::killed) {
        return die_of(status.signal());
    }
    if (status.kind() == ExitStatus::Kind::unknown) {
        complain("the program has ended, but waitid(2) does not tell how");
    }
    return status.shell_code();
}

int die_of(int signal) {
    std::fflush(nullptr);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);  // a core_pattern(5) that is a pipe takes no notice of the limit
    std::signal(signal, SIG_DFL);
    const sigset_t set = set_of(signal);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    return exit_signal_base + signal;
}

}  // namespace syncspawn::tools
