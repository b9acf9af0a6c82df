#include <syncspawn/launcher/exit_status.hpp>

#include <csignal>

#include "barrier/linux/signal_names.hpp"

namespace syncspawn {

namespace {
constexpr int shell_signal_base = 128;
constexpr int shell_unknown = 125;
}  // namespace

int ExitStatus::shell_code() const noexcept {
    switch (kind_) {
        case Kind::exited:
            return value_;
        case Kind::killed:
            return shell_signal_base + value_;
        case Kind::unknown:
            break;
    }
    return shell_unknown;
}

std::string ExitStatus::to_string() const {
    switch (kind_) {
        case Kind::exited:
            return "exited with code " + std::to_string(value_);
        case Kind::killed:
            return "killed by " + signal_name(value_) + (core_dumped_ ? " (core dumped)" : "");
        case Kind::unknown:
            break;
    }
    return "ended; somebody else took its status";
}

std::string signal_name(int signal) {
    if (const char* name = detail::abbreviation_of(signal); name != nullptr) {
        return std::string("SIG") + name;
    }
    if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
        return signal == SIGRTMIN ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
    }
    return "signal " + std::to_string(signal);
}

}  // namespace syncspawn
