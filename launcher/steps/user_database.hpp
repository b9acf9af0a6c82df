#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Users and groups by name: getpwnam(3) and its kin, in the parent, whose locks and allocations are no child's.

namespace syncspawn::steps {

struct UserEntry {
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> groups{};  // all that the user is in, `group` among them
};

// Nothing if there is none. They throw std::system_error if the database cannot be asked.
std::optional<UserEntry> find_user(const std::string& name);
std::optional<gid_t> find_group(const std::string& name);

// The name of this user, or the number in digits.
std::string user_name(uid_t user);

// All of the text, in decimal digits.
std::optional<std::uint32_t> number_of(std::string_view text) noexcept;

}  // namespace syncspawn::steps
