#include "user_database.hpp"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <charconv>
#include <system_error>

namespace syncspawn::steps {
namespace {

// getpwnam_r(3) and its kin say how much room they need only by failing. Nothing if there is no such entry.
template <class Entry, class Ask>
bool look_up(Entry& entry, std::vector<char>& room, const std::string& what, Ask ask) {
    if (what.find('\0') != std::string::npos) {
        return false;  // what comes before is another name
    }
    Entry* found = nullptr;
    int error = ERANGE;
    for (std::size_t size = 1024; error == ERANGE; size *= 4) {
        room.resize(size);
        error = ask(&entry, room.data(), room.size(), &found);
    }
    // "Not found" has many names, by the manual page itself.
    const bool is_absent =
        error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
    if (!is_absent) {
        throw std::system_error(error, std::generic_category(), "look up " + what);
    }
    return found != nullptr;
}

std::vector<gid_t> groups_of(const std::string& name, gid_t group) {
    std::vector<gid_t> groups(32);
    for (;;) {
        int count = static_cast<int>(groups.size());
        const bool is_all = getgrouplist(name.c_str(), group, groups.data(), &count) >= 0;
        groups.resize(is_all ? static_cast<std::size_t>(count) : groups.size() * 2);
        if (is_all) {
            return groups;
        }
    }
}

}  // namespace

std::optional<UserEntry> find_user(const std::string& name) {
    passwd entry{};
    std::vector<char> room;
    const bool is_found = look_up(entry, room, "user '" + name + "'", [&](auto... arguments) {
        return getpwnam_r(name.c_str(), arguments...);
    });
    if (!is_found) {
        return std::nullopt;
    }
    return UserEntry{entry.pw_uid, entry.pw_gid, groups_of(name, entry.pw_gid)};
}

std::optional<gid_t> find_group(const std::string& name) {
    group entry{};
    std::vector<char> room;
    const bool is_found = look_up(entry, room, "group '" + name + "'", [&](auto... arguments) {
        return getgrnam_r(name.c_str(), arguments...);
    });
    return is_found ? std::optional<gid_t>(entry.gr_gid) : std::nullopt;
}

std::string user_name(uid_t user) {
    passwd entry{};
    std::vector<char> room;
    const std::string number = std::to_string(user);
    const bool is_found = look_up(entry, room, "user " + number, [&](auto... arguments) {
        return getpwuid_r(user, arguments...);
    });
    return is_found ? entry.pw_name : number;
}

std::optional<std::uint32_t> number_of(std::string_view text) noexcept {
    std::uint32_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

}  // namespace syncspawn::steps
