#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/policy_file.hpp>

#include "nearest_word.hpp"
#include "toml.hpp"
#include "words.hpp"

// One value of a policy file, and what to say if it is none.

namespace syncspawn::sandbox {

// What stands in the file, for an error: of a long one, the beginning.
inline std::string quoted(std::string_view text) {
    constexpr std::size_t longest = 60;
    return "'" + std::string(text.substr(0, longest)) + (text.size() > longest ? "...'" : "'");
}

inline constexpr std::size_t most_problems = 100;

// What is wrong so far.
class Complaints {
public:
    void add(const toml::source_region& where, std::string key, std::string text) {
        if (list_.size() < most_problems) {
            list_.push_back(
                {where.begin.line, where.begin.column, std::move(key), std::move(text)});
        }
    }
    // In the order of the text: toml++ keeps the keys of a table by their names.
    std::vector<PolicyFileProblem> take() {
        std::stable_sort(list_.begin(), list_.end(), [](const auto& left, const auto& right) {
            return std::tie(left.line, left.column) < std::tie(right.line, right.column);
        });
        return std::move(list_);
    }
    [[nodiscard]] bool empty() const noexcept { return list_.empty(); }

private:
    std::vector<PolicyFileProblem> list_;
};

inline std::string kind_of(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return node.is_array_of_tables() ? "a list of tables" : "a list";
        case toml::node_type::string:
            return "a string";
        case toml::node_type::integer:
            return "a whole number";
        case toml::node_type::floating_point:
            return "a number";
        case toml::node_type::boolean:
            return "true or false";
        default:
            return "a date or time";
    }
}

// One value, where it stands.
class Value {
public:
    Value(const toml::node& node, std::string key, Complaints& complaints)
        : node_(node), key_(std::move(key)), complaints_(complaints) {}

    void read(bool& target) const { read_exactly(target, "true or false, without quotes"); }
    void read(std::string& target) const {
        read_exactly(target, "a string, in quotes");
        if (target.find('\0') != std::string::npos) {
            complain("contains a NUL, which the kernel would take for its end");
        }
    }

    void read(int& target) const {
        const auto number = node_.value_exact<std::int64_t>();
        if (number && std::in_range<int>(*number)) {
            target = static_cast<int>(*number);
        } else {
            complain_of_value("a whole number");
        }
    }

    template <class Enum>
    requires std::is_enum_v<Enum>
    void read(Enum& target) const {
        std::vector<std::string_view> words;
        for (const auto& [value, word] : Words<Enum>::list) {
            if (node_.value_exact<std::string_view>() == word) {
                target = value;
                return;
            }
            words.emplace_back(word);
        }
        complain_of_word(words);
    }

    template <class Element>
    void read(std::vector<Element>& target) const {
        const toml::array* const elements = node_.as_array();
        if (elements == nullptr) {
            constexpr bool has_numbers = std::is_same_v<Element, int>;
            return complain("is " + kind_of(node_) +
                            "; say a list: " + (has_numbers ? "[0, 1]" : R"(["...", "..."])"));
        }
        target.clear();
        for (const toml::node& node : *elements) {
            Element element{};
            Value(node, key_, complaints_).read(element);
            target.push_back(std::move(element));
        }
    }

    void read(std::optional<std::uint64_t>& target) const {
        read_number(target, count_from, "a whole number, not negative");
    }
    void read_size(std::optional<std::uint64_t>& target) const {
        read_number(target, size_from, "a number of bytes, or \"2G\"");
    }
    void read(std::optional<int>& target) const {
        const auto number = node_.value_exact<std::int64_t>();
        const bool fits = number && std::in_range<int>(*number);
        if (!is_unlimited(target)) {
            read_optional(target, fits ? std::optional(static_cast<int>(*number)) : std::nullopt,
                          "a whole number");
        }
    }
    void read(std::optional<double>& target) const {
        if (!is_unlimited(target)) {
            read_optional(target, node_.value<double>(), "a number: 1.5");
        }
    }
    void read(std::optional<std::uint32_t>& target) const {
        const auto number = node_.value_exact<std::int64_t>();
        const bool fits = number && std::in_range<std::uint32_t>(*number);
        read_optional(target,
                      fits ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt,
                      "the number of an id, up to 4294967295");
    }
    template <class Rep, class Period>
    void read(std::optional<std::chrono::duration<Rep, Period>>& target) const {
        using Time = std::chrono::duration<Rep, Period>;
        constexpr std::int64_t tick = std::chrono::nanoseconds(Time(1)).count();
        if (is_unlimited(target)) {
            return;
        }
        const auto text = node_.value_exact<std::string_view>();
        const auto ticks = text ? duration_from(*text, tick) : std::nullopt;
        read_optional(target, ticks ? std::optional(Time(*ticks)) : std::nullopt,
                      tick == 1 ? R"(a duration: "10min", "1h 30min", "250ms")"
                                : R"(a duration in whole seconds: "90s", "10min")");
    }

private:
    void complain(std::string text) const {
        complaints_.add(node_.source(), key_, std::move(text));
    }

    // "is 'lots'; say ..."
    void complain_of_value(const char* expected) const {
        const auto text = node_.value_exact<std::string_view>();
        const auto number = node_.value_exact<std::int64_t>();
        complain("is " +
                 (text     ? quoted(*text)
                  : number ? std::to_string(*number)
                           : kind_of(node_)) +
                 "; say " + expected);
    }
    void complain_of_word(const std::vector<std::string_view>& words) const {
        const auto text = node_.value_exact<std::string_view>();
        const std::string_view meant = text ? nearest_word(*text, words) : std::string_view();
        if (!meant.empty()) {
            return complain("is " + quoted(*text) + "; do you mean '" + std::string(meant) + "'?");
        }
        std::string expected;
        for (const std::string_view word : words) {
            expected += (expected.empty() ? "one of \"" : ", \"") + std::string(word) + "\"";
        }
        complain_of_value(expected.c_str());
    }

    template <class Target>
    void read_exactly(Target& target, const char* expected) const {
        if (auto value = node_.value_exact<Target>()) {
            target = std::move(*value);
        } else {
            complain_of_value(expected);
        }
    }
    template <class Target>
    void read_optional(std::optional<Target>& target, std::optional<Target> value,
                       const char* expected) const {
        if (value) {
            target = value;
        } else {
            complain_of_value(expected);
        }
    }
    // A number, or a string that `from_text` takes.
    template <class FromText>
    void read_number(std::optional<std::uint64_t>& target, FromText from_text,
                     const char* expected) const {
        if (is_unlimited(target)) {
            return;
        }
        const auto number = node_.value_exact<std::int64_t>();
        const auto text = node_.value_exact<std::string_view>();
        std::optional<std::uint64_t> value = text ? from_text(*text) : std::nullopt;
        if (number && *number >= 0) {
            value = static_cast<std::uint64_t>(*number);
        }
        read_optional(target, value, expected);
    }
    template <class Target>
    bool is_unlimited(std::optional<Target>& target) const {
        const bool is_so = node_.value_exact<std::string_view>() == unlimited;
        target = is_so ? std::nullopt : target;
        return is_so;
    }

    const toml::node& node_;
    std::string key_;
    Complaints& complaints_;
};

}  // namespace syncspawn::sandbox
