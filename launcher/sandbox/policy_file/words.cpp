#include "words.hpp"

#include <charconv>
#include <limits>
#include <system_error>

namespace syncspawn::sandbox {
namespace {

struct SizeUnit {
    std::string_view name;
    std::string_view long_name;
    unsigned shift;
};
// Larger ones first.
constexpr std::array size_units{SizeUnit{"T", "TiB", 40}, SizeUnit{"G", "GiB", 30},
                                SizeUnit{"M", "MiB", 20}, SizeUnit{"K", "KiB", 10}};

struct TimeUnit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t hour = 3600 * second;
constexpr std::array time_units{
    TimeUnit{"d", 24 * hour}, TimeUnit{"h", hour},       TimeUnit{"min", 60 * second},
    TimeUnit{"s", second},    TimeUnit{"ms", 1'000'000}, TimeUnit{"us", 1'000},
    TimeUnit{"ns", 1}};

// Takes the digits that `text` begins with.
std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

void skip_blanks(std::string_view& text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

// Takes the letters that `text` begins with.
const TimeUnit* take_time_unit(std::string_view& text) noexcept {
    const std::string_view name =
        text.substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
    for (const TimeUnit& unit : time_units) {
        if (unit.name == name) {
            text.remove_prefix(name.size());
            return &unit;
        }
    }
    return nullptr;
}

// -number * unit / tick. Negative, since the smallest negative number has no positive one.
std::optional<std::int64_t> negative_ticks(std::uint64_t number, std::int64_t unit,
                                           std::int64_t tick) noexcept {
    constexpr std::uint64_t most = std::uint64_t{1} << 63U;
    if (number > most) {
        return std::nullopt;
    }
    const auto negative = static_cast<std::int64_t>(0 - number);
    if (unit < tick) {
        const std::int64_t units_of_tick = tick / unit;
        return negative % units_of_tick == 0 ? std::optional(negative / units_of_tick)
                                             : std::nullopt;
    }
    std::int64_t ticks = 0;
    return __builtin_mul_overflow(negative, unit / tick, &ticks) ? std::nullopt
                                                                 : std::optional(ticks);
}

// The negative sum of all numbers with units.
std::optional<std::int64_t> take_negative_sum(std::string_view text, std::int64_t tick) noexcept {
    std::int64_t sum = 0;
    do {
        const auto number = take_number(text);
        skip_blanks(text);
        const TimeUnit* const unit = number ? take_time_unit(text) : nullptr;
        const auto ticks =
            unit != nullptr ? negative_ticks(*number, unit->nanoseconds, tick) : std::nullopt;
        if (!ticks || __builtin_add_overflow(sum, *ticks, &sum)) {
            return std::nullopt;
        }
        skip_blanks(text);
    } while (!text.empty());
    return sum;
}

}  // namespace

std::optional<std::uint64_t> count_from(std::string_view text) noexcept {
    const auto number = take_number(text);
    return text.empty() ? number : std::nullopt;
}

std::optional<std::uint64_t> size_from(std::string_view text) noexcept {
    const auto number = take_number(text);
    if (!number || text.empty()) {
        return number;
    }
    for (const SizeUnit& unit : size_units) {
        if (text == unit.name || text == unit.long_name) {
            const bool fits = *number <= (std::numeric_limits<std::uint64_t>::max() >> unit.shift);
            return fits ? std::optional(*number << unit.shift) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::uint64_t easily_read = 9999;
    for (const SizeUnit& unit : size_units) {
        const std::uint64_t units = bytes >> unit.shift;
        if (units != 0 && units << unit.shift == bytes && units <= easily_read) {
            return std::to_string(units) + std::string(unit.name);
        }
    }
    return std::to_string(bytes);
}

std::optional<std::int64_t> duration_from(std::string_view text,
                                          std::int64_t nanoseconds_of_tick) noexcept {
    const bool is_negative = text.starts_with('-');
    text.remove_prefix(is_negative ? 1 : 0);
    const auto sum = take_negative_sum(text, nanoseconds_of_tick);
    if (!sum || is_negative) {
        return sum;
    }
    return *sum != std::numeric_limits<std::int64_t>::min() ? std::optional(-*sum) : std::nullopt;
}

std::string duration_text(std::int64_t ticks, std::int64_t nanoseconds_of_tick) {
    for (const TimeUnit& unit : time_units) {
        const std::int64_t ticks_of_unit = unit.nanoseconds / nanoseconds_of_tick;
        if (ticks != 0 && ticks_of_unit != 0 && ticks % ticks_of_unit == 0) {
            return std::to_string(ticks / ticks_of_unit) + std::string(unit.name);
        }
    }
    return "0s";
}

}  // namespace syncspawn::sandbox
