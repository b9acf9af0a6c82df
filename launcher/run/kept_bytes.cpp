#include "kept_bytes.hpp"

#include <algorithm>
#include <utility>

namespace syncspawn::detail {

void KeptBytes::add(std::string_view bytes) {
    const std::size_t fitting = std::min(bytes.size(), limit_ - bytes_.size());
    bytes_.append(bytes.substr(0, fitting));
    const std::string_view others = bytes.substr(fitting);
    dropped_ += others.size();
    if (keep_ == Capture::Keep::end) {
        add_at_the_end(others.substr(others.size() - std::min(others.size(), limit_)));
    }
}

// No more than the ring has room for, and only if it is full.
void KeptBytes::add_at_the_end(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t size = std::min(bytes.size(), limit_ - oldest_);
        bytes_.replace(oldest_, size, bytes.substr(0, size));
        oldest_ = (oldest_ + size) % limit_;
        bytes.remove_prefix(size);
    }
}

std::string KeptBytes::take() {
    const auto oldest = bytes_.begin() + static_cast<std::string::difference_type>(oldest_);
    std::rotate(bytes_.begin(), oldest, bytes_.end());
    oldest_ = 0;
    return std::exchange(bytes_, {});
}

}  // namespace syncspawn::detail
