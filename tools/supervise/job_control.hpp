#pragma once

#include <sys/types.h>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::tools {

// The foreground of the terminal, where the program has taken it for a process group of its own, as
// an interactive shell does.
class Foreground {
public:
    // The program has stopped: does the terminal belong to it?
    void remember(pid_t program);
    // A shell has continued this process, and gave the terminal to our group if it did so by `fg`.
    // Continues all of the group that had it, for ^Z has stopped them all. False if there is none.
    bool give_back();

private:
    pid_t lent_to_ = 0;
};

// Stops this process as the signal does by default (SIGTSTP, SIGTTIN, SIGTTOU), and returns once it
// goes on: at once in an orphaned process group, where the kernel lets nobody stop who could not be
// continued.
void stop_by(int signal);

}  // namespace syncspawn::tools
