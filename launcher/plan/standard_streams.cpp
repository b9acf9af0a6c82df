#include "standard_streams.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace syncspawn::detail {

UniqueFd StandardStreams::take(int number, const char* whose) {
    constexpr std::array names{"input", "output", "error"};
    Stream& stream = at(number);
    if (!stream.end) {
        throw std::logic_error(std::string(whose) + ": the standard " +
                               names[static_cast<std::size_t>(number)] +
                               (stream.is_taken ? " was moved out" : " is no Stdio::pipe()"));
    }
    stream.is_taken = true;
    return std::move(stream.end);
}

StandardStreams StandardStreams::hand_over() noexcept {
    StandardStreams all;
    for (std::size_t number = 0; number < streams_.size(); ++number) {
        all.streams_[number].is_taken = streams_[number].is_taken;
        streams_[number].is_taken = streams_[number].is_taken || streams_[number].end;
        all.streams_[number].end = std::move(streams_[number].end);
    }
    return all;
}

}  // namespace syncspawn::detail
