#include "duration.hpp"

#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <system_error>

#include "command_line.hpp"

namespace syncspawn::tools {

namespace {

struct Unit {
    std::string_view name;
    double nanoseconds;
};
constexpr Unit units[] = {{"s", 1e9},  {"ms", 1e6},   {"us", 1e3},
                          {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};

// Takes "30m" off the front of "30m5s"; none if it does not begin so.
std::optional<double> take_part(std::string_view& text) {
    double number = -1;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(number) || number < 0) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    for (const Unit& unit : units) {
        if (unit.name == name) {
            text.remove_prefix(name.size());
            return number * unit.nanoseconds;
        }
    }
    return std::nullopt;
}

// Of a number alone, seconds.
std::optional<double> nanoseconds_in(const std::string& text) {
    const bool lacks_unit = !text.empty() && (text.back() == '.' || std::isdigit(text.back()) != 0);
    const std::string with_unit =
        lacks_unit && text.find_first_not_of("0123456789.") == std::string::npos ? text + "s"
                                                                                 : text;
    std::string_view rest = with_unit;
    double sum = 0;
    do {
        const std::optional<double> part = take_part(rest);
        if (!part) {
            return std::nullopt;
        }
        sum += *part;
    } while (!rest.empty());
    return sum;
}

}  // namespace

std::chrono::nanoseconds parse_duration(const std::string& text) {
    const std::optional<double> nanoseconds = nanoseconds_in(text);
    if (!nanoseconds) {
        throw UsageError("'" + text + "' is not a duration: say 2, 1.5s, 200ms, 3m, 1h30m or 2d");
    }
    if (*nanoseconds >= 9e18) {
        throw UsageError("'" + text + "' is too long: less than 9000000000 seconds");
    }
    return std::chrono::nanoseconds(std::llround(*nanoseconds));
}

bool is_duration(const std::string& text) {
    try {
        return parse_duration(text) >= std::chrono::nanoseconds::zero();
    } catch (const UsageError&) {
        return false;
    }
}

}  // namespace syncspawn::tools
