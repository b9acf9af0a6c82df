#pragma once

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::tools {

// The signals that this process receives for the program instead of obeying them: all that can be
// held back, but those that a fault of its own would raise.
class HeldSignals {
public:
    // Those that stop a process still do: see hold_stops().
    HeldSignals();
    // Once the program runs, it decides whether a ^Z stops anything.
    void hold_stops() const;

    [[nodiscard]] const sigset_t& callers_mask() const noexcept { return callers_mask_; }
    // Readable if HUP, INT, QUIT or TERM came.
    [[nodiscard]] int ending() const noexcept { return ending_.get(); }
    // Readable if any other came, CHLD among them.
    [[nodiscard]] int others() const noexcept { return others_.get(); }

    // False if none is pending.
    static bool take(int fd, signalfd_siginfo& signal) {
        return read(fd, &signal, sizeof signal) == sizeof signal;
    }

private:
    sigset_t callers_mask_{};
    UniqueFd ending_;
    UniqueFd others_;
};

[[nodiscard]] bool ends_a_launch(int signal);

// The set of this one alone.
[[nodiscard]] sigset_t set_of(int signal);

}  // namespace syncspawn::tools
