#include "fed_stream.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "nonblocking.hpp"

namespace syncspawn::detail {
namespace {

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

// As write(2), and the errno.
std::pair<ssize_t, int> write_quietly(int fd, const char* bytes, std::size_t size) noexcept {
    SigpipeHeldBack held_back;
    const ssize_t written = ::write(fd, bytes, size);
    const int error = written < 0 ? errno : 0;
    if (error == EPIPE) {
        held_back.was_raised();
    }
    return {written, error};
}

}  // namespace

void FedStream::open(UniqueFd end) {
    end_ = std::move(end);
    make_nonblocking(end_.get());
}

FedStream::Answer FedStream::write() {
    constexpr int writes_in_a_pass = 16;  // then the other streams have their turn
    for (int count = 0; count < writes_in_a_pass; ++count) {
        if (may_ask_ && written_ == piece_.size()) {
            piece_ = (*source_)();
            written_ = 0;
        }
        if (!may_ask_ || piece_.empty()) {
            return Answer::end;
        }
        const auto [size, error] =
            write_quietly(end_.get(), piece_.data() + written_, piece_.size() - written_);
        if (error == EAGAIN) {
            return Answer::full;
        }
        if (error != 0 && error != EINTR) {
            return Answer::end;
        }
        written_ += size > 0 ? static_cast<std::size_t>(size) : 0;
    }
    return Answer::full;
}

}  // namespace syncspawn::detail
