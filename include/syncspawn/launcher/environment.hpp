#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/barrier/visibility.h>

namespace syncspawn {

/// The environment of a program to be: "NAME=value" entries, by value. Starts empty.
class SYNCSPAWN_API Environment {
public:
    /// A copy of this process's environment, taken now.
    static Environment current();
    /// A copy of a null-terminated array, entry by entry. Null: empty.
    static Environment copy_of(const char* const* entries);

    /// Throws std::invalid_argument if `name` is empty or contains '=', or if there is a NUL.
    Environment& set(std::string_view name, std::string_view value);
    Environment& unset(std::string_view name);
    Environment& clear() noexcept;
    [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
    [[nodiscard]] const std::vector<std::string>& entries() const noexcept { return entries_; }

private:
    std::vector<std::string> entries_;
};

}  // namespace syncspawn
