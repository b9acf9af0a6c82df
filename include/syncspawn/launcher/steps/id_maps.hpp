#pragma once

#include <cstdint>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Id maps: who the child is in its new user namespace (user_namespaces(7)).
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "sh",
///                                           .arguments = {"-c", "test $(id -u) = 0"},
///                                           .birth = {.namespaces = syncspawn::Namespaces::user}});
///         spawner.step(syncspawn::steps::map_root());
///         return spawner.spawn().wait().shell_code();
///     }
///
/// A user namespace begins without a map, and its processes without an id: they are "nobody", and can neither
/// make files nor change their ids. These steps write the map. Which one you want:
///
///     map_root()                the program is root in there, and you out here
///     map_caller()              it is in there who you are out here
///     map_subordinate_ids()     it is root, and has all ids that /etc/subuid and /etc/subgid give you
///     map_ids({...})            what you say; for ranges you must be privileged
///
/// The parent writes the map while the child gets ready. The child's parts that come later find it written;
/// if there are none, no rendezvous is needed. Memory may be shared. The parent's /proc must be that of its
/// own pid namespace; else the launch fails with ENOENT.
///
/// A map can be written once, so one such step is all there can be in a launch.

namespace syncspawn::steps {

/// The `count` ids from `inside` on, as the namespace calls them, are those from `outside` on, as the
/// caller's namespace does.
struct IdRange {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 1;
};

/// A list that is empty is not written.
struct IdMaps {
    std::vector<IdRange> users{};
    std::vector<IdRange> groups{};
};

/// Root in there is the caller: its effective user and group when the program is launched. No other id
/// exists. No privilege is needed, except that root itself needs CAP_SETFCAP (Linux 5.12). A caller without
/// CAP_SETGID gives up setgroups(2) for the namespace, as the kernel demands: its supplementary groups stay,
/// and are shown as "nogroup".
[[nodiscard]] SYNCSPAWN_API Step map_root();

/// The same, but the caller keeps its numbers. Like any program that is executed with an id other than 0,
/// this one has no capabilities in its namespace. (Your parts have, before execve.)
[[nodiscard]] SYNCSPAWN_API Step map_caller();

/// These ids.
///
///     steps::map_ids({.users = {{.inside = 0, .outside = 100000, .count = 65536}},
///                     .groups = {{.inside = 0, .outside = 100000, .count = 65536}}})
///
/// It takes CAP_SETUID and CAP_SETGID, unless the only id is the caller's own, and in any case CAP_SETFCAP to
/// map the user 0 from outside. Throws std::invalid_argument if both lists are empty, if a range is empty,
/// ends beyond the last id (4294967294) or overlaps another one, or if there are more than 340 of a kind.
[[nodiscard]] SYNCSPAWN_API Step map_ids(IdMaps maps);

/// Root in there is the caller; the ids from 1 on are those that /etc/subuid and /etc/subgid give the caller,
/// all of them, one range behind the other (subuid(5)). No privilege is needed: the programs newuidmap(1) and
/// newgidmap(1) write the maps. They are searched in PATH; in Debian they are in the package uidmap.
///
/// The files are read by this call, not by the launch. The launch fails if they have nothing for the caller
/// (ENOENT) or ranges that overlap (EINVAL), if the programs are not installed (ENOENT), or if they refuse
/// (EPERM; the error quotes them). Waiting for the programs blocks no event loop, and a launch that fails
/// ends them.
[[nodiscard]] SYNCSPAWN_API Step map_subordinate_ids();

/// The same for a map of your own. newuidmap(1) says which ids it allows. Throws as map_ids() does.
[[nodiscard]] SYNCSPAWN_API Step map_subordinate_ids(IdMaps maps);

}  // namespace syncspawn::steps
