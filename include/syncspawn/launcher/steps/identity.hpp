#pragma once

#include <sys/types.h>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Identity: the user and the groups that the program runs as.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///     #include <unistd.h>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "id"});
///         if (geteuid() == 0) {
///             spawner.step(syncspawn::steps::become("nobody"));
///         }
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The order is the only right one: supplementary groups, group, user. Afterwards the step looks whether it
/// has what it asked for, and whether the ids 0 are out of reach for good; if not, the launch fails.
///
/// Put it behind all steps that need privileges. In a user namespace, put it behind the id map.
///
/// It changes the child alone, whatever threads the parent has. The child may share the parent's memory: see
/// Credentials::change for what that means meanwhile. With more than 1024 groups, memory is copied. A parent
/// without privileges cannot signal a program that has become another user: see Process::signal().

namespace syncspawn::steps {

/// Ids as numbers. One that is not set stays as it is.
struct Identity {
    std::optional<uid_t> user{};   ///< real, effective and saved
    std::optional<gid_t> group{};  ///< the same
    /// The supplementary groups. None by default, so that those of the caller do not stay by oversight. Not
    /// set: they stay. That is the only choice where setgroups(2) is denied: in most user namespaces made
    /// without privileges, and for those without CAP_SETGID.
    std::optional<std::vector<gid_t>> groups = std::vector<gid_t>{};
};

/// The program runs as this. Throws std::invalid_argument if nothing is set, or an id is -1, which is none.
[[nodiscard]] SYNCSPAWN_API Step become(Identity identity);

/// What the databases of users and groups say about a user: getpwnam(3), getgrouplist(3). They are asked by
/// this call, not by the launch. Throws std::invalid_argument if there is no such user, and std::system_error
/// if they cannot be asked.
[[nodiscard]] SYNCSPAWN_API Identity identity_of(const std::string& user);
/// The same for the number of a group.
[[nodiscard]] SYNCSPAWN_API gid_t group_of(const std::string& name);

/// The program runs as this user, in all groups that the user is in: become(identity_of(user)).
template <
    std::convertible_to<std::string_view> Name>  // else GCC takes {.user = 0} for a string, too
[[nodiscard]] Step become(const Name& user) {
    return become(identity_of(std::string(std::string_view(user))));
}

}  // namespace syncspawn::steps
