#include "in_words.hpp"

namespace syncspawn::detail {

std::string in_words(std::chrono::nanoseconds duration) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    if (milliseconds.count() == 0) {
        const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(duration);
        return std::to_string(microseconds.count()) + " us";
    }
    if (milliseconds.count() % 1000 == 0) {
        return std::to_string(milliseconds.count() / 1000) + " s";
    }
    return std::to_string(milliseconds.count()) + " ms";
}

}  // namespace syncspawn::detail
