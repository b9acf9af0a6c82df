#include <syncspawn/launcher/raw_terminal.hpp>

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace syncspawn {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free, "or a signal handler could wait for itself");

// No handler of this thread sees a change half done. Nor is a process stopped by SIGTTOU that has just got into the
// background.
class SignalsBlocked {
public:
    explicit SignalsBlocked(int but = 0) noexcept {
        sigset_t all;
        sigfillset(&all);
        if (but != 0) {
            sigdelset(&all, but);
        }
        pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

class ErrnoKept {
public:
    ErrnoKept() noexcept = default;
    ~ErrnoKept() { errno = before_; }
    ErrnoKept(const ErrnoKept&) = delete;
    ErrnoKept& operator=(const ErrnoKept&) = delete;

private:
    int before_ = errno;
};

}  // namespace

RawTerminal::RawTerminal(int terminal) : terminal_(terminal), owner_(getpid()) {
    if (tcgetattr(terminal, &found_) < 0) {
        throw std::system_error(errno, std::generic_category(), "tcgetattr");
    }
    raw_ = found_;
    cfmakeraw(&raw_);
    // One that is begun in the background has to wait for the foreground, as ever.
    const SignalsBlocked signals_blocked(SIGTTOU);
    while (!change_to(true)) {
        if (errno == EINTR) {
            continue;
        }
        throw std::system_error(errno, std::generic_category(), "tcsetattr");
    }
}

RawTerminal::~RawTerminal() { restore(); }

void RawTerminal::restore() noexcept {
    const ErrnoKept errno_kept;
    const SignalsBlocked signals_blocked;
    if (is_raw_ && getpid() == owner_ && is_in_foreground()) {
        (void)change_to(false);
    }
}

void RawTerminal::resume() noexcept {
    const ErrnoKept errno_kept;
    const SignalsBlocked signals_blocked;
    if (getpid() == owner_ && is_in_foreground()) {
        (void)change_to(true);
    }
}

// Of a terminal that does not control this process's session, too: there is no background then.
bool RawTerminal::is_in_foreground() const noexcept {
    const pid_t group = tcgetpgrp(terminal_);
    return group < 0 || group == getpgrp();
}

bool RawTerminal::change_to(bool raw) noexcept {
    if (tcsetattr(terminal_, TCSANOW, raw ? &raw_ : &found_) < 0) {
        return false;
    }
    is_raw_ = raw;
    return true;
}

}  // namespace syncspawn
