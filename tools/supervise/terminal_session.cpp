#include "terminal_session.hpp"

#include <unistd.h>

#include <array>
#include <system_error>

namespace syncspawn::tools {
namespace {

// A standard stream that is our terminal; -1: none is.
int our_terminal() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (isatty(stream) == 1) {
            return stream;
        }
    }
    return -1;
}

}  // namespace

PtyOptions options_like_our_terminal() {
    const int terminal = our_terminal();
    if (terminal < 0) {
        return {};
    }
    // What is typed comes from somewhere else then, and is to be edited as usual.
    return terminal == STDIN_FILENO ? PtyOptions{.like = terminal}
                                    : PtyOptions{.size = terminal_size(terminal)};
}

void TerminalSession::begin() {
    if (isatty(STDIN_FILENO) == 1) {
        raw_.emplace(STDIN_FILENO);
    }
    relay_.emplace(STDIN_FILENO, STDOUT_FILENO, pty_.master());
    resize();
}

int TerminalSession::descriptor() const { return relay_ ? relay_->descriptor() : -1; }

void TerminalSession::advance() {
    if (relay_ && relay_->end() == RelayEnd::none) {
        relay_->advance();
    }
}

void TerminalSession::resize() {
    const int terminal = our_terminal();
    if (terminal < 0 || pty_.master() < 0) {
        return;
    }
    try {
        const TerminalSize size = terminal_size(terminal);
        if (size != pty_.size()) {
            pty_.resize(size);
        }
    } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): it was hung up
    }
}

void TerminalSession::leave() noexcept {
    if (raw_) {
        raw_->restore();
    }
}

void TerminalSession::come_back() {
    if (raw_) {
        raw_->resume();
    }
    resize();
}

void TerminalSession::finish() {
    if (relay_ && relay_->end() == RelayEnd::none) {
        relay_->finish();
    }
}

bool TerminalSession::is_over() const { return !relay_ || relay_->end() != RelayEnd::none; }

bool TerminalSession::is_lost() const { return relay_ && relay_->end() == RelayEnd::output_lost; }

void TerminalSession::hang_up() {
    relay_.reset();
    leave();
    if (pty_.master() >= 0) {
        pty_.take_master().reset();
    }
}

}  // namespace syncspawn::tools
