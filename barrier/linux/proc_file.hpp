#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bounded_text.hpp"

namespace syncspawn::detail::proc {

// A file of /proc or /sys, read from its beginning to its end:
//
//     proc::File status("/proc/", pid, "/status");
//     if (status.find("NSpid:")) { while (const auto number = status.number()) ... }
//
// In pieces: a line may be long (the groups of a status), the stack of a child between fork and execve may
// not. One piece is enough for a stat, and mostly for what is asked of a status. Of both, the kernel keeps
// what it said at the first read(2).
class File {
public:
    // The path, as the pieces of a BoundedText.
    template <class... Pieces>
    explicit File(const Pieces&... pieces) noexcept {
        char path[96];
        BoundedText text(path);
        (text << ... << pieces);
        fd_ = text.is_cut() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    }
    ~File() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    static constexpr int end = -1;  // or an error

    // The next character, which stays there.
    [[nodiscard]] int peek() noexcept {
        if (at_ == size_) {
            const ssize_t size = fd_ >= 0 ? read(fd_, piece_, sizeof piece_) : 0;
            at_ = 0;
            size_ = size > 0 ? static_cast<std::size_t>(size) : 0;
        }
        return at_ < size_ ? static_cast<unsigned char>(piece_[at_]) : end;
    }
    int next() noexcept {
        const int character = peek();
        if (character != end) {
            ++at_;
            begins_line_ = character == '\n';
        }
        return character;
    }

    // What there is without another read(2), or after one if that is nothing; it stays there.
    [[nodiscard]] std::string_view piece() noexcept {
        return peek() == end ? std::string_view() : std::string_view(piece_ + at_, size_ - at_);
    }
    // Goes on by so many characters of the piece.
    void skip(std::size_t count) noexcept { at_ += count; }

    // Goes to behind `key` ("NSpid:") at the beginning of a line, from here on. False at the end.
    [[nodiscard]] bool find(std::string_view key) noexcept {
        while (begins_line_ || skip_line()) {
            std::size_t matched = 0;
            while (matched < key.size() && peek() == static_cast<unsigned char>(key[matched])) {
                next();
                ++matched;
            }
            if (matched == key.size()) {
                return true;
            }
            if (matched == 0 && !skip_line()) {
                break;
            }
        }
        return false;
    }

    // The next number in this line, with nothing but blanks in front. Goes to behind it.
    [[nodiscard]] std::optional<std::int64_t> number(unsigned base = 10) noexcept {
        while (peek() == ' ' || peek() == '\t') {
            next();
        }
        const bool is_negative = peek() == '-';
        if (is_negative) {
            next();
        }
        if (digit(base) < 0) {
            return std::nullopt;
        }
        std::uint64_t value = 0;
        for (int next_digit = 0; (next_digit = digit(base)) >= 0; next()) {
            value = value * base + static_cast<unsigned>(next_digit);
        }
        return static_cast<std::int64_t>(is_negative ? 0 - value : value);
    }

    // What is left of this line. False at the end.
    bool read_line(std::string& line) {
        line.clear();
        if (peek() == end) {
            return false;
        }
        for (int character = 0; (character = next()) != '\n' && character != end;) {
            line += static_cast<char>(character);
        }
        return true;
    }

private:
    [[nodiscard]] int digit(unsigned base) noexcept {
        const int character = peek();
        int value = -1;
        if (character >= '0' && character <= '9') {
            value = character - '0';
        } else if (character >= 'a' && character <= 'f') {
            value = character - 'a' + 10;
        }
        return value < static_cast<int>(base) ? value : -1;
    }
    bool skip_line() noexcept {
        int character = 0;
        do {
            character = next();
        } while (character != '\n' && character != end);
        return character == '\n';
    }

    int fd_ = -1;
    char piece_[1024]{};
    std::size_t at_ = 0;
    std::size_t size_ = 0;
    bool begins_line_ = true;
};

}  // namespace syncspawn::detail::proc
