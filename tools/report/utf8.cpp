#include "utf8.hpp"

namespace syncspawn::tools {
namespace {

unsigned byte_of(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

std::size_t length_by_first_byte(unsigned first) {
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first < 0xe0) {
        return 2;
    }
    if (first >= 0xe0 && first < 0xf0) {
        return 3;
    }
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

// The second byte alone shows an overlong form, a surrogate, or what is beyond the last character.
bool may_follow(unsigned first, unsigned second) {
    const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
    if (text.empty()) {
        return 0;
    }
    const unsigned first = byte_of(text, 0);
    const std::size_t length = length_by_first_byte(first);
    if (length > text.size() || (length > 1 && !may_follow(first, byte_of(text, 1)))) {
        return 0;
    }
    for (std::size_t at = 2; at < length; ++at) {
        if ((byte_of(text, at) & 0xc0U) != 0x80) {
            return 0;
        }
    }
    return length;
}

}  // namespace syncspawn::tools
