#include "values.hpp"

#include <fcntl.h>

#include <array>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <string_view>

namespace syncspawn::tools {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& what) {
    throw std::invalid_argument("'" + text + "' is not " + what);
}

// All of the text, or nothing.
template <class Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, base);
    return error == std::errc{} && rest == end;
}

struct Unit {
    std::string_view name;
    unsigned shift;
};
constexpr std::array units{Unit{"K", 10}, Unit{"M", 20}, Unit{"G", 30}, Unit{"T", 40}};

}  // namespace

std::int64_t parse_whole_number(const std::string& text, std::int64_t least, std::int64_t most) {
    std::int64_t number = 0;
    if (!read_number(text, number) || number < least || number > most) {
        refuse(text,
               "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
}

std::uint64_t parse_size(const std::string& text) {
    std::string_view digits = text;
    unsigned shift = 0;
    for (const Unit& unit : units) {
        for (const std::string& ending : {std::string(unit.name) + "iB", std::string(unit.name)}) {
            if (shift == 0 && digits.ends_with(ending)) {
                digits.remove_suffix(ending.size());
                shift = unit.shift;
            }
        }
    }
    std::uint64_t number = 0;
    if (!read_number(digits, number) ||
        number > std::numeric_limits<std::uint64_t>::max() >> shift) {
        refuse(text, "a size: say a number of bytes, or 512K, 2G, 2GiB");
    }
    return number << shift;
}

std::uint32_t parse_id(const std::string& text) {
    constexpr std::int64_t last_id = std::numeric_limits<std::uint32_t>::max() - 1;
    return static_cast<std::uint32_t>(parse_whole_number(text, 0, last_id));
}

int parse_open_descriptor(const std::string& text) {
    const auto number =
        static_cast<int>(parse_whole_number(text, 0, std::numeric_limits<int>::max()));
    if (fcntl(number, F_GETFD) < 0) {
        throw std::invalid_argument("descriptor " + text + " is not open");
    }
    return number;
}

mode_t parse_mode(const std::string& text) {
    mode_t mode = 0;
    if (!read_number(text, mode, 8) || mode > 07777) {
        refuse(text, "a mode: say it in octal, as 0755");
    }
    return mode;
}

}  // namespace syncspawn::tools
