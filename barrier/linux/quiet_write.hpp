#pragma once

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <utility>

namespace syncspawn::detail {

// While it is there, a write(2) to a pipe that nobody reads raises no SIGPIPE, whatever the handler is.
// The signal goes to the thread that writes, so it is blocked there, and taken back if it came from here.
class SigpipeHeldBack {
public:
    SigpipeHeldBack() noexcept {
        sigemptyset(&sigpipe_);
        sigaddset(&sigpipe_, SIGPIPE);
        sigset_t pending;
        sigemptyset(&pending);
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &sigpipe_, &callers_mask_);
    }
    ~SigpipeHeldBack() {
        constexpr timespec at_once{0, 0};
        while (was_raised_ && !was_pending_ && sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 &&
               errno == EINTR) {
        }
        pthread_sigmask(SIG_SETMASK, &callers_mask_, nullptr);
    }
    SigpipeHeldBack(const SigpipeHeldBack&) = delete;
    SigpipeHeldBack& operator=(const SigpipeHeldBack&) = delete;

    void was_raised() noexcept { was_raised_ = true; }

private:
    sigset_t sigpipe_{};
    sigset_t callers_mask_{};
    bool was_pending_ = false;
    bool was_raised_ = false;
};

// As write(2), and the errno; but without SIGPIPE.
inline std::pair<ssize_t, int> write_quietly(int fd, const char* bytes, std::size_t size) noexcept {
    SigpipeHeldBack held_back;
    const ssize_t written = ::write(fd, bytes, size);
    const int error = written < 0 ? errno : 0;
    if (error == EPIPE) {
        held_back.was_raised();
    }
    return {written, error};
}

}  // namespace syncspawn::detail
