#include "captured_output.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "barrier/linux/proc.hpp"
#include "barrier/linux/waiting.hpp"

namespace syncspawn::detail {
namespace {

using std::chrono::steady_clock;

// A program that has filled its pipe to the brim by chance gets on by itself.
constexpr auto is_stuck_after = std::chrono::seconds(1);

constexpr auto shortest_pause = std::chrono::milliseconds(1);
constexpr auto longest_pause = std::chrono::milliseconds(50);

int largest_size() noexcept {
    constexpr std::int64_t by_default = 1 << 20;  // pipe(7)
    const std::int64_t told = proc::number_in("/proc/sys/fs/pipe-max-size").value_or(by_default);
    return static_cast<int>(std::clamp<std::int64_t>(told, 0, std::numeric_limits<int>::max() / 2));
}

int events_of(pollfd one) noexcept { return poll(&one, 1, 0) > 0 ? one.revents : 0; }

// A pipe holds pages, and not all of them are full: only its other end knows. It is opened for a moment;
// where /proc is not there, bytes have to do.
bool is_full(int read_end, int bytes, int size) noexcept {
    const std::string path = "/proc/self/fd/" + std::to_string(read_end);
    const UniqueFd write_end(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    return write_end ? (events_of({write_end.get(), POLLOUT, 0}) & POLLOUT) == 0
                     : bytes > size - static_cast<int>(sysconf(_SC_PAGESIZE));
}

}  // namespace

int CapturedOutput::stream_of(std::size_t index) const noexcept {
    return streams_.get(static_cast<int>(index) + STDOUT_FILENO);
}

bool CapturedOutput::is_there() const noexcept { return stream_of(0) >= 0 || stream_of(1) >= 0; }

CapturedOutput::Polled CapturedOutput::polled() const noexcept {
    return {readable(seen_[0].state == Seen::State::quiet ? stream_of(0) : -1),
            readable(seen_[1].state == Seen::State::quiet ? stream_of(1) : -1)};
}

std::optional<Deadline> CapturedOutput::look_again_at() const noexcept { return next_look_; }

std::optional<std::string> CapturedOutput::look() {
    constexpr std::array names{"standard output", "standard error"};
    next_look_.reset();
    pause_ = std::clamp<Deadline::duration>(2 * pause_, shortest_pause, longest_pause);
    const Deadline now = steady_clock::now();
    for (std::size_t index = 0; index < seen_.size(); ++index) {
        const int fd = stream_of(index);
        if (fd < 0) {
            continue;
        }
        Seen& seen = seen_[index];
        look_at(fd, seen);
        if (seen.full_since && now - *seen.full_since >= is_stuck_after) {
            return std::string("is not ready, and its ") + names[index] +
                   " is full: nobody reads the " + std::to_string(seen.bytes) + " bytes in it";
        }
        if (seen.state == Seen::State::written) {
            next_look_ = now + pause_;
        }
    }
    return std::nullopt;
}

void CapturedOutput::look_at(int fd, Seen& seen) {
    const int events = seen.state == Seen::State::closed ? POLLHUP : events_of(readable(fd));
    if ((events & POLLHUP) != 0) {
        seen.state = Seen::State::closed;
    } else if ((events & POLLIN) != 0) {
        seen.state = Seen::State::written;
    }
    const int before = seen.bytes;
    const int size = seen.state == Seen::State::written ? fcntl(fd, F_GETPIPE_SZ) : -1;
    if (size < 0 || ioctl(fd, FIONREAD, &seen.bytes) < 0) {
        seen.full_since.reset();
        return;
    }
    // However they are written, from half a page on each piece shares its page with nothing.
    if (seen.bytes >= size / 2) {
        make_room(fd, size, seen);
    }
    if (!seen.is_as_large_as_may_be || seen.bytes < size / 2 || !is_full(fd, seen.bytes, size)) {
        seen.full_since.reset();
    } else if (!seen.full_since || seen.bytes != before) {
        seen.full_since = steady_clock::now();
    }
}

// EPERM: fs.pipe-max-size, or of all pipes of the user fs.pipe-user-pages-soft.
void CapturedOutput::make_room(int fd, int size, Seen& seen) {
    seen.is_as_large_as_may_be = seen.is_as_large_as_may_be || size >= largest_size() ||
                                 fcntl(fd, F_SETPIPE_SZ, 2 * size) < 0;
    if (!seen.is_as_large_as_may_be) {
        pause_ = shortest_pause;
    }
}

}  // namespace syncspawn::detail
