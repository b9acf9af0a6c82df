#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/sandbox/policy_file.hpp>

#include "fields.hpp"
#include "utf8.hpp"
#include "words.hpp"

namespace syncspawn::sandbox {
namespace {

std::string escaped(char character) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(character);
    switch (character) {
        case '"':
            return "\\\"";
        case '\\':
            return "\\\\";
        case '\n':
            return "\\n";
        case '\t':
            return "\\t";
        default:
            break;
    }
    if (code >= 0x20 && code != 0x7f) {
        return {character};
    }
    return std::string("\\u00") + digits[code >> 4U] + digits[code & 0xFU];
}

std::string value_text(std::string_view text) {
    if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
        throw std::invalid_argument("syncspawn: a policy file cannot have '" + std::string(text) +
                                    "', which is not UTF-8 or contains a NUL");
    }
    std::string quoted = "\"";
    for (const char character : text) {
        quoted += escaped(character);
    }
    return quoted + '"';
}

std::string value_text(const std::string& text) { return value_text(std::string_view(text)); }

std::string value_text(bool is_so) { return is_so ? "true" : "false"; }

std::string value_text(int number) { return std::to_string(number); }

std::string value_text(std::uint32_t number) { return std::to_string(number); }

// TOML has no larger number than this.
std::string value_text(std::uint64_t number) {
    const bool is_integer =
        number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return is_integer ? std::to_string(number) : value_text(std::to_string(number));
}

std::string value_text(double number) {
    if (!std::isfinite(number)) {
        return std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
    }
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    std::string text(digits, error == std::errc() ? end : digits);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

template <class Rep, class Period>
std::string value_text(const std::chrono::duration<Rep, Period>& time) {
    constexpr std::int64_t tick =
        std::chrono::nanoseconds(std::chrono::duration<Rep, Period>(1)).count();
    return value_text(duration_text(time.count(), tick));
}

template <class Enum>
requires std::is_enum_v<Enum> std::string value_text(Enum value) {
    for (const auto& [known, word] : Words<Enum>::list) {
        if (known == value) {
            return value_text(std::string_view(word));
        }
    }
    throw std::invalid_argument("syncspawn: a policy has an enumerator that does not exist");
}

template <class Value>
std::string value_text(const std::optional<Value>& value) {
    return value ? value_text(*value) : value_text(unlimited);
}

// Of several elements, each in a line of its own: so lists can be compared line by line.
template <class Element>
std::string value_text(const std::vector<Element>& list) {
    if (list.size() < 2) {
        return list.empty() ? "[]" : "[" + value_text(list.front()) + "]";
    }
    std::string lines = "[\n";
    for (const Element& element : list) {
        lines += "    " + value_text(element) + ",\n";
    }
    return lines + "]";
}

std::string size_value_text(std::uint64_t bytes) {
    const std::string text = size_text(bytes);
    return text == std::to_string(bytes) ? value_text(bytes) : value_text(text);
}

// Writes what differs from `usual`, and what is required.
template <class Section>
class Writer {
public:
    Writer(const Section& section, const Section& usual) : section_(section), usual_(usual) {}

    template <class Member>
    void operator()(std::string_view key, Member Section::*member) {
        if (is_to_be_written(member)) {
            add(key, value_text(section_.*member));
        }
    }
    template <class Member>
    void required(std::string_view key, Member Section::*member) {
        add(key, value_text(section_.*member));
    }
    void size(std::string_view key, std::optional<std::uint64_t> Section::*member) {
        if (is_to_be_written(member)) {
            const auto& bytes = section_.*member;
            add(key, bytes ? size_value_text(*bytes) : value_text(unlimited));
        }
    }
    template <class Member>
    void table(std::string_view key, Member Section::*member) {
        add_table("[" + std::string(key) + "]", text_of_fields(section_.*member, usual_.*member));
    }
    template <class Member>
    void tables(std::string_view key, std::vector<Member> Section::*member) {
        for (const Member& entry : section_.*member) {
            add_table("[[" + std::string(key) + "]]", text_of_fields(entry, Member{}));
        }
    }

    template <class Fields>
    static std::string text_of_fields(const Fields& fields, const Fields& usual) {
        Writer<Fields> writer(fields, usual);
        visit_fields(writer, &fields);
        return writer.text();
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    template <class Member>
    [[nodiscard]] bool is_to_be_written(Member Section::*member) const {
        return section_.*member != usual_.*member;
    }
    void add(std::string_view key, const std::string& value) {
        text_.append(key).append(" = ").append(value).append("\n");
    }
    void add_table(const std::string& heading, const std::string& fields) {
        if (!fields.empty()) {
            text_ += (text_.empty() ? "" : "\n") + heading + "\n" + fields;
        }
    }

    const Section& section_;
    const Section& usual_;
    std::string text_;
};

}  // namespace

std::string to_text(const Policy& policy) {
    const Policy usual;
    return Writer<Policy>::text_of_fields(policy, usual);
}

}  // namespace syncspawn::sandbox
