#include "last_words.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace syncspawn::detail {
namespace {

constexpr std::size_t most_bytes = 4096;
constexpr std::size_t most_lines = 3;
constexpr std::size_t longest_line = 160;

// The length of the character of UTF-8 that the text begins with; 0 if it is none, or one of control.
std::size_t length_of_character(std::string_view text) noexcept {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    if (byte(0) < 0x80) {
        return byte(0) >= ' ' && byte(0) != 0x7f ? 1 : 0;
    }
    const std::size_t length = byte(0) < 0xc2   ? 0
                               : byte(0) < 0xe0 ? 2
                               : byte(0) < 0xf0 ? 3
                               : byte(0) < 0xf5 ? 4
                                                : 0;
    if (length == 0 || text.size() < length || (byte(0) == 0xc2 && byte(1) < 0xa0)) {
        return 0;
    }
    for (std::size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xc0U) != 0x80) {
            return 0;
        }
    }
    return length;
}

// "\x1b[31m", as terminals are told of colours.
std::size_t length_of_escape_sequence(std::string_view text) noexcept {
    if (!text.starts_with("\x1b[")) {
        return 0;
    }
    std::size_t length = 2;
    while (length < text.size() && (text[length] < '@' || text[length] > '~')) {
        ++length;
    }
    return std::min(length + 1, text.size());
}

std::string harmless(std::string_view line) {
    std::string text;
    while (!line.empty() && text.size() < longest_line) {
        std::size_t length = length_of_escape_sequence(line);
        if (length == 0) {
            length = length_of_character(line);
            text += length > 0 ? line.substr(0, length) : line.front() == '\t' ? " " : "?";
        }
        line.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return line.empty() ? text : text + "...";
}

}  // namespace

std::string_view last_of(std::string_view text) noexcept {
    return text.substr(text.size() - std::min(text.size(), most_bytes));
}

std::string last_words_in(int pipe) {
    std::string words;
    int left = 0;
    if (ioctl(pipe, FIONREAD, &left) < 0) {
        return words;
    }
    std::array<char, most_bytes> buffer;
    // No more than that, so that it waits for nobody.
    for (ssize_t got = 0; left > 0; left -= static_cast<int>(got)) {
        got = read(pipe, buffer.data(), std::min(buffer.size(), static_cast<std::size_t>(left)));
        if (got <= 0) {
            break;
        }
        words.append(buffer.data(), static_cast<std::size_t>(got));
        words.erase(0, words.size() - last_of(words).size());
    }
    return words;
}

std::string quoted_lines_of(std::string_view words) {
    std::string text;
    for (std::size_t lines = 0; !words.empty() && lines < most_lines;) {  // the last one first
        const std::size_t end = words.find_last_of("\r\n");
        const bool is_first = end == std::string_view::npos;
        const std::string line = harmless(is_first ? words : words.substr(end + 1));
        if (line.find_first_not_of(' ') != std::string::npos) {
            text.insert(0, "\"" + line + (text.empty() ? "\"" : "\", "));
            ++lines;
        }
        words = words.substr(0, is_first ? 0 : end);
    }
    return text;
}

}  // namespace syncspawn::detail
