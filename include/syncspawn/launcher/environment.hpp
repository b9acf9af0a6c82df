#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::Environment: the environment that a program starts with.
///
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::Environment environment = syncspawn::Environment::current();
///         environment.set("GREETING", "hello").unset("LANG");
///         syncspawn::SyncedSpawner spawner({.program = "sh",
///                                           .arguments = {"-c", "test $GREETING = hello"},
///                                           .environment = environment});
///         return spawner.spawn().wait().shell_code();
///     }

namespace syncspawn {

/// A list of "NAME=value" entries, in the order in which the names were first set. A value: copies are
/// independent, and later changes to this process's environment do not show. A new one is empty; most
/// programs want at least PATH, so begin with current().
///
/// copy_of() keeps every entry as it is, even one without '=' or with a name that comes twice. get() then
/// finds the first of them, set() leaves one of them, and unset() leaves none.
///
/// May throw std::bad_alloc. Use one object in one thread at a time.
class SYNCSPAWN_API Environment {
public:
    /// A copy of this process's environment, as it is now. Like getenv(3), it must not run while another
    /// thread changes the environment (setenv(3)).
    static Environment current();
    /// A copy of an array as execve(2) takes it, which ends in a null pointer. If `entries` itself is null,
    /// the result is empty.
    static Environment copy_of(const char* const* entries);

    /// Sets a variable; if it is there already, it keeps its place in the list. Throws std::invalid_argument
    /// if `name` is empty or contains '=', or if either contains a NUL.
    Environment& set(std::string_view name, std::string_view value);
    /// Removes a variable, if it is there.
    Environment& unset(std::string_view name);
    /// Removes all of them.
    Environment& clear() noexcept;
    /// The value of a variable, or nothing if it is not set. An empty value is a value.
    [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
    /// All entries. Valid until the next change.
    [[nodiscard]] const std::vector<std::string>& entries() const noexcept { return entries_; }

private:
    std::size_t only_place_of(const std::string& key);

    std::vector<std::string> entries_;
    // Where the first index_.size() entries are, by "NAME=". Built by set() once there are many.
    std::unordered_multimap<std::string, std::size_t> index_;
};

}  // namespace syncspawn
