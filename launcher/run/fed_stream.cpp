#include "fed_stream.hpp"

#include <cerrno>
#include <utility>

#include "barrier/linux/quiet_write.hpp"
#include "nonblocking.hpp"

namespace syncspawn::detail {

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
