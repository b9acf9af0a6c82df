#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace syncspawn::detail {

// Writes text into a buffer of fixed size, which always ends with a NUL:
//
//     char message[160];
//     BoundedText(message) << "descriptor " << fd << " is not open";
//
// What does not fit is dropped. Async-signal-safe.
class BoundedText {
public:
    template <std::size_t Size>
    explicit BoundedText(char (&buffer)[Size]) noexcept : at_(buffer), end_(buffer + Size - 1) {
        *at_ = '\0';
    }

    BoundedText& operator<<(std::string_view text) noexcept {
        for (const char character : text) {
            *this << character;
        }
        return *this;
    }
    BoundedText& operator<<(const char* text) noexcept { return *this << std::string_view(text); }
    BoundedText& operator<<(char character) noexcept {
        if (at_ == end_) {
            is_cut_ = true;
        } else {
            *at_++ = character;
            *at_ = '\0';
        }
        return *this;
    }
    BoundedText& operator<<(bool) = delete;
    template <std::integral Number>
    BoundedText& operator<<(Number number) noexcept {
        char digits[20];
        char* first = std::end(digits);
        // Negated as unsigned, so that the smallest number has a magnitude, too.
        auto magnitude = static_cast<std::uint64_t>(number);
        magnitude = number < 0 ? 0 - magnitude : magnitude;
        do {
            *--first = static_cast<char>('0' + magnitude % 10);
            magnitude /= 10;
        } while (magnitude != 0);
        if (number < 0) {
            *this << '-';
        }
        return *this << std::string_view(first, static_cast<std::size_t>(std::end(digits) - first));
    }

    // Whether something did not fit.
    [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }

private:
    char* at_;
    char* end_;
    bool is_cut_ = false;
};

}  // namespace syncspawn::detail
