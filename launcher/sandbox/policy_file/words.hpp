#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <syncspawn/sandbox/policy.hpp>

// How a policy file writes what TOML has no type for.

namespace syncspawn::sandbox {

inline constexpr std::string_view unlimited = "unlimited";

// The words of an enumeration.
template <class Enum>
struct Words;
template <>
struct Words<Tree> {
    static constexpr std::array list{std::pair{Tree::host_read_only, "host_read_only"},
                                     std::pair{Tree::host, "host"},
                                     std::pair{Tree::named_only, "named_only"}};
};
template <>
struct Words<Network> {
    static constexpr std::array list{std::pair{Network::none, "none"},
                                     std::pair{Network::loopback, "loopback"},
                                     std::pair{Network::host, "host"}};
};
template <>
struct Words<Services> {
    static constexpr std::array list{std::pair{Services::none, "none"},
                                     std::pair{Services::host, "host"}};
};
template <>
struct Words<TreeAccess> {
    static constexpr std::array list{std::pair{TreeAccess::read_only, "read_only"},
                                     std::pair{TreeAccess::writable, "writable"}};
};
template <>
struct Words<Scheduling> {
    static constexpr std::array list{std::pair{Scheduling::usual, "usual"},
                                     std::pair{Scheduling::batch, "batch"},
                                     std::pair{Scheduling::idle, "idle"}};
};
// These are said by name_of().
template <>
struct Words<Guarantee> {
    static constexpr std::array list{
        std::pair{Guarantee::files, "files"},
        std::pair{Guarantee::network, "network"},
        std::pair{Guarantee::services, "services"},
        std::pair{Guarantee::processes, "processes"},
        std::pair{Guarantee::privileges, "privileges"},
        std::pair{Guarantee::system_calls, "system calls"},
        std::pair{Guarantee::limits, "limits"},
    };
};

// Digits alone. Nothing if it is no such number, or too large.
std::optional<std::uint64_t> count_from(std::string_view text) noexcept;

// "2G", "512KiB" or digits alone. Nothing if it is no size, or too large.
std::optional<std::uint64_t> size_from(std::string_view text) noexcept;
// Its digits, or those with a unit where that is shorter to read.
std::string size_text(std::uint64_t bytes);

// "1h 30min", in ticks of so many nanoseconds. Nothing if it is no duration, has a fraction of a tick, or is too
// large.
std::optional<std::int64_t> duration_from(std::string_view text,
                                          std::int64_t nanoseconds_of_tick) noexcept;
std::string duration_text(std::int64_t ticks, std::int64_t nanoseconds_of_tick);

}  // namespace syncspawn::sandbox
