#include "line_queue.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include "barrier/linux/fresh_descriptor.hpp"
#include "barrier/linux/quiet_write.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::size_t most_bytes = std::size_t{256} * 1024;
// Away from the numbers that a user may have in mind for the program.
constexpr int lowest_own = 10;
// Of pwritev2(2), which not every C library has: RWF_NOWAIT, and no offset.
constexpr int no_wait = 8;
constexpr long current_place = -1;

bool is_writable(int fd, int milliseconds) {
    pollfd watched{fd, POLLOUT, 0};
    return poll(&watched, 1, milliseconds) > 0;
}

// A pipe that poll(2) calls writable takes so much without waiting, unless somebody else fills it meanwhile;
// the flag is for that, where the kernel knows it (Linux 6.4 for pipes).
ssize_t write_to_stream(int fd, const std::string& text) {
    if (!is_writable(fd, 0)) {
        errno = EAGAIN;
        return -1;
    }
    const std::size_t size = std::min<std::size_t>(text.size(), PIPE_BUF);
    detail::SigpipeHeldBack held_back;
    // iovec serves reading, too.
    iovec piece{const_cast<char*>(text.data()),
                size};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    ssize_t written = syscall(SYS_pwritev2, fd, &piece, 1UL, current_place, current_place, no_wait);
    if (written < 0 &&
        (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ESPIPE)) {
        written = write(fd, text.data(), size);
    }
    if (written < 0 && errno == EPIPE) {
        held_back.was_raised();
    }
    return written;
}

}  // namespace

LineQueue::LineQueue(int fd)
    : fd_(detail::duplicate_from(fd, lowest_own)),
      writable_(detail::above_standard_streams(epoll_create1(EPOLL_CLOEXEC))) {
    struct stat about {};
    epoll_event event{.events = EPOLLOUT, .data = {}};
    if (!fd_ || !writable_ || fstat(fd_.get(), &about) < 0) {
        throw std::system_error(errno, std::generic_category(), "status descriptor");
    }
    kind_ = S_ISSOCK(about.st_mode)  ? Kind::socket
            : S_ISREG(about.st_mode) ? Kind::file
                                     : Kind::stream;
    // A file cannot be waited for, and need not be.
    if (epoll_ctl(writable_.get(), EPOLL_CTL_ADD, fd_.get(), &event) < 0) {
        kind_ = Kind::file;
    }
}

void LineQueue::add(std::string line) {
    line += '\n';
    if (!fd_) {
        return;
    }
    if (bytes_ + line.size() > most_bytes) {
        ++lost_;
        return;
    }
    tell_of_lost();
    push(std::move(line));
    advance();
}

void LineQueue::advance() {
    while (fd_ && !lines_.empty()) {
        std::string& line = lines_.front();
        const ssize_t written = write_some(line);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0 && errno == EAGAIN) {
            return;
        }
        if (written < 0) {  // nobody reads it any more
            lines_.clear();
            fd_.reset();
            return;
        }
        const auto count = static_cast<std::size_t>(written);
        bytes_ -= count;
        line.erase(0, count);
        if (line.empty()) {
            lines_.pop_front();
        }
        if (lines_.empty()) {
            tell_of_lost();
        }
    }
}

void LineQueue::finish(std::chrono::nanoseconds within) {
    const auto end = std::chrono::steady_clock::now() + within;
    for (advance(); fd_ && !lines_.empty(); advance()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return;
        }
        is_writable(fd_.get(), static_cast<int>(left.count()));
    }
}

ssize_t LineQueue::write_some(const std::string& text) const {
    switch (kind_) {
        case Kind::socket:
            return send(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        case Kind::file:
            return write(fd_.get(), text.data(), text.size());
        case Kind::stream:
            break;
    }
    return write_to_stream(fd_.get(), text);
}

void LineQueue::push(std::string line) {
    bytes_ += line.size();
    lines_.push_back(std::move(line));
}

void LineQueue::tell_of_lost() {
    if (lost_ > 0) {
        push(R"({"event":"lost","count":)" + std::to_string(std::exchange(lost_, 0)) + "}\n");
    }
}

}  // namespace syncspawn::tools
