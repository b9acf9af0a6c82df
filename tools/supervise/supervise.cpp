#include "supervise.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>

#include "descendants.hpp"
#include "held_signals.hpp"
#include "job_control.hpp"
#include "tools/messages.hpp"
#include "tools/report/observer.hpp"

namespace syncspawn::tools {
namespace {

class Supervisor {
public:
    Supervisor(Process& process, const HeldSignals& signals)
        : process_(process), signals_(signals) {}

    EndedBy run() {
        signals_.hold_stops();
        while (!has_ended_) {
            wait();
            has_ended_ = process_.try_wait().has_value();
            take_signals();
            if (children_have_changed_) {
                children_have_changed_ = false;
                Descendants::reap_orphans(process_.pid());
                stop_with_the_program();
            }
        }
        return ended_by_;
    }

private:
    void wait() const {
        std::array<pollfd, 3> watched{{{signals_.ending(), POLLIN, 0},
                                       {signals_.others(), POLLIN, 0},
                                       {process_.pidfd(), POLLIN, 0}}};
        // Without pidfds SIGCHLD tells of the end.
        if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "poll");
        }
    }

    void take_signals() {
        signalfd_siginfo signal{};
        while (HeldSignals::take(signals_.ending(), signal) ||
               HeldSignals::take(signals_.others(), signal)) {
            const int number = static_cast<int>(signal.ssi_signo);
            if (number == SIGCHLD) {
                children_have_changed_ = true;
                continue;
            }
            if (ends_a_launch(number)) {
                ended_by_ = EndedBy::a_signal;
            }
            if (number == SIGCONT && foreground_.give_back()) {
                continue;
            }
            if (!has_ended_ && !program_has_it(signal)) {
                pass_on(signal);
            }
        }
    }

    // The terminal sends these to the whole foreground group: who is in ours has them already. A
    // hang-up goes to the leader of the session, and to the group only once that has ended: better
    // twice than not.
    [[nodiscard]] bool program_has_it(const signalfd_siginfo& signal) const {
        constexpr std::array of_the_terminal{SIGINT, SIGQUIT, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU};
        if (signal.ssi_code == SI_USER) {
            const auto sender = static_cast<pid_t>(signal.ssi_pid);
            // It sent it to its whole group; or it is a SIGPIPE of our own.
            return sender == process_.pid() || sender == getpid();
        }
        return signal.ssi_code == SI_KERNEL && getpgid(process_.pid()) == getpgrp() &&
               std::find(of_the_terminal.begin(), of_the_terminal.end(),
                         static_cast<int>(signal.ssi_signo)) != of_the_terminal.end();
    }

    // The program was not reaped yet, so its pid names nothing else.
    void pass_on(const signalfd_siginfo& signal) const {
        const int number = static_cast<int>(signal.ssi_signo);
        sigval value{};
        // Only the program knows whether it is a pointer. NOLINTNEXTLINE(performance-no-int-to-ptr)
        value.sival_ptr = reinterpret_cast<void*>(signal.ssi_ptr);
        const int result = signal.ssi_code == SI_QUEUE ? sigqueue(process_.pid(), number, value)
                                                       : kill(process_.pid(), number);
        if (result < 0 && errno != ESRCH) {
            complain(signal_name(number) + " is not passed on to the program, process " +
                     std::to_string(process_.pid()) + ": " +
                     (errno == EPERM ? "not permitted (it runs as another user now)"
                                     : std::generic_category().message(errno)));
        }
    }

    // A program that stopped by SIGSTOP, too, stops us by SIGTSTP: in an orphaned process group,
    // where no shell could continue us, that does nothing. Going on is passed on as any SIGCONT.
    void stop_with_the_program() {
        siginfo_t stopped{};
        if (has_ended_ ||
            waitid(P_PID, static_cast<id_t>(process_.pid()), &stopped, WSTOPPED | WNOHANG) < 0 ||
            stopped.si_pid == 0) {
            return;
        }
        foreground_.remember(process_.pid());
        stop_by(stopped.si_status == SIGTTIN || stopped.si_status == SIGTTOU ? stopped.si_status
                                                                             : SIGTSTP);
    }

    Process& process_;
    const HeldSignals& signals_;
    Foreground foreground_;
    EndedBy ended_by_ = EndedBy::itself;
    bool has_ended_ = false;
    bool children_have_changed_ = false;
};

}  // namespace

Outcome supervise(const SyncedSpawner& spawner, const Supervision& supervision,
                  const HeldSignals& signals, const Descendants& descendants) {
    Outcome outcome;
    Process process = spawner.spawn(outcome.error);
    if (outcome.error) {
        for (Observer* const observer : supervision.observers) {
            observer->failed(outcome.error);
        }
        if (outcome.error.program_may_have_run()) {
            descendants.kill_all();
        }
        signalfd_siginfo signal{};
        // The terminal's signal may have ended the child before it could cancel the launch here.
        if (HeldSignals::take(signals.ending(), signal)) {
            outcome.signal = static_cast<int>(signal.ssi_signo);
        }
        return outcome;
    }
    for (Observer* const observer : supervision.observers) {
        observer->runs(process);
    }
    outcome.ended_by = Supervisor(process, signals).run();
    if (outcome.ended_by == EndedBy::a_signal) {
        descendants.kill_all();
    }
    outcome.status = process.wait();
    return outcome;
}

}  // namespace syncspawn::tools
