#include "job.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>

#include "terminal_session.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {

void Job::take(const signalfd_siginfo& signal) {
    const int number = static_cast<int>(signal.ssi_signo);
    if (session_ != nullptr && is_for_this_process(number)) {
        return;
    }
    if (number == SIGCONT && foreground_.give_back()) {
        return;
    }
    if (!program_has_it(signal)) {
        pass_on(signal);
    }
}

// The program has a terminal of its own, with a size of its own, and no shell to stop it for.
bool Job::is_for_this_process(int signal) {
    if (signal == SIGTSTP) {
        stop(signal);
    } else if (signal == SIGWINCH) {
        session_->resize();
    } else if (signal == SIGCONT) {
        session_->come_back();
    }
    return signal == SIGTSTP || signal == SIGWINCH;
}

// The terminal sends these to the whole foreground group: who is in ours has them already. A
// hang-up goes to the leader of the session, and to the group only once that has ended: better
// twice than not.
bool Job::program_has_it(const signalfd_siginfo& signal) const {
    constexpr std::array of_the_terminal{SIGINT, SIGQUIT, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU};
    if (signal.ssi_code == SI_USER) {
        const auto sender = static_cast<pid_t>(signal.ssi_pid);
        // It sent it to its whole group; or it is a SIGPIPE of our own.
        return sender == program_.pid() || sender == getpid();
    }
    return signal.ssi_code == SI_KERNEL && getpgid(program_.pid()) == getpgrp() &&
           std::find(of_the_terminal.begin(), of_the_terminal.end(),
                     static_cast<int>(signal.ssi_signo)) != of_the_terminal.end();
}

// The program was not reaped yet, so its pid names nothing else.
void Job::pass_on(const signalfd_siginfo& signal) const {
    const int number = static_cast<int>(signal.ssi_signo);
    sigval value{};
    // Only the program knows whether it is a pointer. NOLINTNEXTLINE(performance-no-int-to-ptr)
    value.sival_ptr = reinterpret_cast<void*>(signal.ssi_ptr);
    const int result = signal.ssi_code == SI_QUEUE ? sigqueue(program_.pid(), number, value)
                                                   : kill(program_.pid(), number);
    if (result < 0 && errno != ESRCH) {
        complain(signal_name(number) + " is not passed on to the program, process " +
                 std::to_string(program_.pid()) + ": " +
                 (errno == EPERM ? "not permitted (it runs as another user now)"
                                 : std::generic_category().message(errno)));
    }
}

// A program that stopped by SIGSTOP, too, stops us by SIGTSTP: in an orphaned process group,
// where no shell could continue us, that does nothing. Going on is passed on as any SIGCONT.
void Job::stop_with_the_program() {
    siginfo_t stopped{};
    if (waitid(P_PID, static_cast<id_t>(program_.pid()), &stopped, WSTOPPED | WNOHANG) < 0 ||
        stopped.si_pid == 0) {
        return;
    }
    foreground_.remember(program_.pid());
    stop(stopped.si_status == SIGTTIN || stopped.si_status == SIGTTOU ? stopped.si_status
                                                                      : SIGTSTP);
}

void Job::stop(int signal) {
    if (session_ != nullptr) {
        session_->advance();  // what the program has written last
        session_->leave();
    }
    stop_by(signal);
    if (session_ != nullptr) {
        session_->come_back();
    }
}

}  // namespace syncspawn::tools
