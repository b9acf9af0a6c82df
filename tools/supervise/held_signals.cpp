#include "held_signals.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "barrier/linux/fresh_descriptor.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::array ending_signals{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
constexpr std::array stopping_signals{SIGTSTP, SIGTTIN, SIGTTOU};
// Blocked, a fault kills at once whatever the mask says; sent by somebody, they are not held back.
constexpr std::array signals_of_faults{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

template <class Signals>
bool contains(const Signals& signals, int signal) {
    return std::find(signals.begin(), signals.end(), signal) != signals.end();
}

// nohup(1) and background jobs of a shell ignore some: then they concern nobody here.
bool is_ignored(int signal) {
    struct sigaction action {};
    return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// Not where the caller has closed a standard stream: the program would inherit it as that stream.
UniqueFd open_queue_of(const sigset_t& signals) {
    return UniqueFd(
        detail::above_standard_streams(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)));
}

}  // namespace

HeldSignals::HeldSignals() {
    signal(SIGCHLD, SIG_DFL);  // ignored, it would take the statuses away
    sigset_t ending;
    sigset_t others;
    sigset_t blocked;
    sigemptyset(&ending);
    sigemptyset(&others);
    sigemptyset(&blocked);
    // Those between that belong to the C library are in no set: sigaddset(3) refuses them.
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        if (is_ignored(signal) || contains(signals_of_faults, signal)) {
            continue;
        }
        sigaddset(ends_a_launch(signal) ? &ending : &others, signal);
        if (!contains(stopping_signals, signal)) {
            sigaddset(&blocked, signal);
        }
    }
    sigprocmask(SIG_BLOCK, &blocked, &callers_mask_);
    ending_ = open_queue_of(ending);
    others_ = open_queue_of(others);
    if (!ending_ || !others_) {
        throw std::system_error(errno, std::generic_category(), "signalfd");
    }
}

void HeldSignals::hold_stops() const {
    for (const int signal : stopping_signals) {
        const sigset_t set = set_of(signal);
        sigprocmask(SIG_BLOCK, &set, nullptr);
    }
}

sigset_t set_of(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

bool ends_a_launch(int signal) { return contains(ending_signals, signal); }

}  // namespace syncspawn::tools
