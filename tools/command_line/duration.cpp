#include "duration.hpp"

#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

#include "command_line.hpp"

namespace syncspawn::tools {

std::chrono::nanoseconds parse_duration(const std::string& text) {
    struct Unit {
        std::string_view name;
        double nanoseconds;
    };
    constexpr Unit units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}};
    double number = -1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    for (const Unit& unit : units) {
        const double nanoseconds = number * unit.nanoseconds;
        if (error != std::errc() || std::string(rest, end) != unit.name || !std::isfinite(number) ||
            number < 0) {
            continue;
        }
        if (nanoseconds >= 9e18) {
            throw UsageError("'" + text + "' is too long: less than 9000000000 seconds");
        }
        return std::chrono::nanoseconds(std::llround(nanoseconds));
    }
    throw UsageError("'" + text + "' is not a duration: say 2, 1.5s, 200ms or 3m");
}

bool is_duration(const std::string& text) {
    try {
        return parse_duration(text) >= std::chrono::nanoseconds::zero();
    } catch (const UsageError&) {
        return false;
    }
}

}  // namespace syncspawn::tools
