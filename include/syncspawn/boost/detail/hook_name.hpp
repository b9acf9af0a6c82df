#pragma once

#include <array>
#include <string_view>
#include <type_traits>

#include <syncspawn/boost/version.hpp>

namespace syncspawn::for_boost::detail {

template <class Type>
constexpr std::string_view pretty_function() {
    return __PRETTY_FUNCTION__;
}

/// The name of a type without its namespaces. The compiler knows it, so the child need not allocate.
template <class Type>
constexpr std::string_view name_of() {
    constexpr std::string_view sample = pretty_function<double>();
    constexpr std::size_t before = sample.find("double");
    constexpr std::size_t behind = sample.size() - before - std::string_view("double").size();
    std::string_view name = pretty_function<Type>();
    name = name.substr(before, name.size() - before - behind);
    int depth = 0;  // of brackets
    for (std::size_t at = name.size(); at > 0; --at) {
        const char letter = name[at - 1];
        if (letter == '>' || letter == ')') {
            ++depth;
        } else if (letter == '<' || letter == '(') {
            --depth;
        } else if (letter == ':' && depth == 0) {
            return name.substr(at);
        }
    }
    return name;
}

/// What an error calls the hook that failed: "on_exec_setup of process_start_dir '/srv'". Cut at the same
/// length as by Side::fail(). Async-signal-safe.
class HookName {
public:
    [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

    template <class Initializer>
    void set(const char* hook, const Initializer& initializer) noexcept {
        size_ = 0;
        append(hook);
        append(" of ");
        append(name_of<Initializer>());
        if constexpr (std::is_same_v<Initializer, v2::process_start_dir>) {
            append(" '");
            append(initializer.start_dir.c_str());
            append("'");
        }
    }

private:
    void append(std::string_view text) noexcept {
        for (const char letter : text.substr(0, text_.size() - 1 - size_)) {
            text_[size_++] = letter;
        }
    }
    std::array<char, 121> text_{};
    std::size_t size_ = 0;
};

}  // namespace syncspawn::for_boost::detail
