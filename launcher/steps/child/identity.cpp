#include "identity.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

// Not setuid(3) and its kin: the C library has all threads make the call, and waits for those that the child
// has no copy of.

namespace syncspawn::steps {
namespace {

// 32-bit x86 and ARM had 16-bit ids first, whose calls kept the names.
#ifdef SYS_setresuid32
constexpr long set_groups = SYS_setgroups32;
constexpr long get_groups = SYS_getgroups32;
constexpr long set_group = SYS_setresgid32;
constexpr long get_group = SYS_getresgid32;
constexpr long set_user = SYS_setresuid32;
constexpr long get_user = SYS_getresuid32;
#else
constexpr long set_groups = SYS_setgroups;
constexpr long get_groups = SYS_getgroups;
constexpr long set_group = SYS_setresgid;
constexpr long get_group = SYS_getresgid;
constexpr long set_user = SYS_setresuid;
constexpr long get_user = SYS_getresuid;
#endif

// To setresuid(2) and its kin: as it is.
constexpr unsigned unchanged = -1U;

std::error_code take_groups(ChildSide& side, std::span<const gid_t> groups,
                            std::span<gid_t> room) noexcept {
    if (groups.empty() && syscall(get_groups, 0, nullptr) == 0) {
        return side.done();  // there are none: that takes no privilege
    }
    if (syscall(set_groups, groups.size(), groups.data()) < 0) {
        return side.fail(errno == EPERM ? "setgroups (without the right to, only .groups = nullopt)"
                                        : "setgroups");
    }
    // What pretends that all ids can be had, as some container builders do, says yes and does nothing.
    const auto count = static_cast<long>(groups.size());
    long present = syscall(get_groups, 0, nullptr);
    if (present == count) {
        present = syscall(get_groups, room.size(), room.data());
    }
    if (present < 0) {
        return side.fail("getgroups");
    }
    return present == count && std::equal(groups.begin(), groups.end(), room.begin(), room.end())
               ? side.done()
               : side.fail(ECANCELED, "the supplementary groups are others afterwards");
}

struct Calls {
    long set;
    long get;
    const char* set_name;
    const char* get_name;
    const char* is_another;
    const char* comes_back;
};
constexpr Calls of_groups{set_group,
                          get_group,
                          "setresgid",
                          "getresgid",
                          "the group is another one afterwards",
                          "the group 0 can be taken again: a capability has stayed"};
constexpr Calls of_users{set_user,
                         get_user,
                         "setresuid",
                         "getresuid",
                         "the user is another one afterwards",
                         "the user 0 can be taken again: a capability has stayed"};

std::error_code take(ChildSide& side, const Calls& calls, unsigned id) noexcept {
    unsigned real = 0;
    unsigned effective = 0;
    unsigned saved = 0;
    if (syscall(calls.set, id, id, id) < 0) {
        return side.fail(calls.set_name);
    }
    if (syscall(calls.get, &real, &effective, &saved) < 0) {
        return side.fail(calls.get_name);
    }
    return real == id && effective == id && saved == id ? side.done()
                                                        : side.fail(ECANCELED, calls.is_another);
}

// The child ends if it comes back, so that this changes nothing that lasts.
std::error_code try_to_come_back(ChildSide& side, const Calls& calls) noexcept {
    return syscall(calls.set, unchanged, 0U, unchanged) == 0
               ? side.fail(ECANCELED, calls.comes_back)
               : side.done();
}

}  // namespace

std::error_code take_identity(ChildSide& side, const Identity& identity,
                              std::span<gid_t> room) noexcept {
    std::error_code error;
    if (identity.groups) {
        error = take_groups(side, *identity.groups, room);
    }
    if (!error && identity.group) {
        error = take(side, of_groups, *identity.group);
    }
    if (!error && identity.user) {
        error = take(side, of_users, *identity.user);
    }
    const bool gives_up_root = identity.user.value_or(0) != 0;
    if (!error && gives_up_root && identity.group.value_or(0) != 0) {
        error = try_to_come_back(side, of_groups);
    }
    if (!error && gives_up_root) {
        error = try_to_come_back(side, of_users);
    }
    return error;
}

std::error_code take_identity(ChildSide& side, const Identity& identity) noexcept {
    std::array<gid_t, most_groups_on_the_stack> room{};
    const std::size_t count = identity.groups ? identity.groups->size() : 0;
    return take_identity(side, identity, std::span(room.data(), count));
}

}  // namespace syncspawn::steps
