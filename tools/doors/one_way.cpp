#include "one_way.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace syncspawn::tools {
namespace {

constexpr std::size_t room = 65536;
// Reads at a stretch, before other connections have their turn.
constexpr int reads_at_once = 4;

}  // namespace

OneWay::Answer OneWay::read_some() {
    bytes_.resize(room);
    ssize_t size = -1;
    do {
        size = recv(from_, bytes_.data(), bytes_.size(), MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    begin_ = 0;
    end_ = size > 0 ? static_cast<std::size_t>(size) : 0;
    has_read_all_ = size == 0;
    if (size < 0) {
        return errno == EAGAIN ? Answer::not_now : Answer::is_broken;
    }
    return Answer::goes_on;
}

OneWay::Answer OneWay::write_some() {
    ssize_t size = -1;
    do {
        size = send(to_, bytes_.data() + begin_, end_ - begin_, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN) {
        return Answer::not_now;
    }
    if (size < 0) {
        give_up();
        return Answer::goes_on;
    }
    begin_ += static_cast<std::size_t>(size);
    return Answer::goes_on;
}

// Nobody reads there any more, but what comes from there may go on.
void OneWay::give_up() {
    begin_ = end_;
    has_read_all_ = is_shut_ = true;
    (void)shutdown(from_, SHUT_RD);
}

bool OneWay::pump() {
    int reads = 0;
    Answer answer = Answer::goes_on;
    while (answer == Answer::goes_on && !is_shut_) {
        if (wants_to_write()) {
            answer = write_some();
        } else if (has_read_all_) {
            is_shut_ = true;
            // It fails where the other side is gone, and nobody would have read the end.
            (void)shutdown(to_, SHUT_WR);
        } else if (reads++ < reads_at_once) {
            answer = read_some();
        } else {
            break;
        }
    }
    if (is_empty()) {
        std::vector<char>().swap(bytes_);  // idle connections take no memory
    }
    return answer != Answer::is_broken;
}

}  // namespace syncspawn::tools
