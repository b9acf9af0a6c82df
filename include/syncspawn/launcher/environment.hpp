#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <syncspawn/barrier/visibility.h>

namespace syncspawn {

/// The environment of a program to be: "NAME=value" entries, by value, in the order in which their names
/// came. Starts empty.
class SYNCSPAWN_API Environment {
public:
    /// A copy of this process's environment, taken now.
    static Environment current();
    /// A copy of a null-terminated array, entry by entry. Null: empty.
    static Environment copy_of(const char* const* entries);

    /// A name that is there already keeps its place. Throws std::invalid_argument if `name` is empty or
    /// contains '=', or if there is a NUL.
    Environment& set(std::string_view name, std::string_view value);
    Environment& unset(std::string_view name);
    Environment& clear() noexcept;
    [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
    [[nodiscard]] const std::vector<std::string>& entries() const noexcept { return entries_; }

private:
    std::size_t only_place_of(const std::string& key);

    std::vector<std::string> entries_;
    // Where each "NAME=" is, of as many entries as it has elements: for set(), once there are many.
    std::unordered_multimap<std::string, std::size_t> index_;
};

}  // namespace syncspawn
