#pragma once

#include <sys/signalfd.h>

#include <syncspawn/launcher.hpp>

#include "job_control.hpp"

namespace syncspawn::tools {

class TerminalSession;

// This process and its program as one job of a shell: what is signalled to the one reaches the other, and they
// stop and go on together.
class Job {
public:
    // There is a terminal session if the program has a terminal of its own.
    Job(Process& program, TerminalSession* session) noexcept
        : program_(program), session_(session) {}

    // A signal came for the program, which has not been reaped yet.
    void take(const signalfd_siginfo& signal);
    // A child has changed: if the program has stopped, so does this process.
    void stop_with_the_program();

private:
    bool is_for_this_process(int signal);
    [[nodiscard]] bool program_has_it(const signalfd_siginfo& signal) const;
    void pass_on(const signalfd_siginfo& signal) const;
    void stop(int signal);

    Process& program_;
    TerminalSession* session_;
    Foreground foreground_;
};

}  // namespace syncspawn::tools
