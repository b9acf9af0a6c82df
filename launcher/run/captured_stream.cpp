#include "captured_stream.hpp"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "nonblocking.hpp"

namespace syncspawn::detail {

void CapturedStream::open(UniqueFd end) {
    end_ = std::move(end);
    make_nonblocking(end_.get());
}

CapturedStream::Answer CapturedStream::read(std::span<char> buffer) {
    constexpr int reads_in_a_pass = 16;  // then the other streams have their turn
    for (int count = 0; count < reads_in_a_pass;) {
        const ssize_t size = ::read(end_.get(), buffer.data(), buffer.size());
        if (size > 0) {
            take_in({buffer.data(), static_cast<std::size_t>(size)});
            ++count;
        } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
            return Answer::end;
        } else if (errno == EAGAIN) {
            return Answer::empty;
        }
    }
    return Answer::more;
}

void CapturedStream::take_in(std::string_view bytes) {
    kept_.add(bytes);
    last_words_.add(bytes);
    if (may_receive_ && capture_->receive) {
        capture_->receive(bytes);
    }
}

}  // namespace syncspawn::detail
