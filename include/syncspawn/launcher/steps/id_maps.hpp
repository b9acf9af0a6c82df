#pragma once

#include <cstdint>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Id maps: who the child is inside its new user namespace.
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

namespace syncspawn::steps {

/// `count` ids from `inside` on, in the child's user namespace, are those from `outside` on in yours.
struct IdRange {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 1;
};

struct IdMaps {
    std::vector<IdRange> users{};
    std::vector<IdRange> groups{};
};

/// You are root in there.
[[nodiscard]] SYNCSPAWN_API Step map_root();
/// You are in there who you are out here.
[[nodiscard]] SYNCSPAWN_API Step map_caller();
/// These and no others.
[[nodiscard]] SYNCSPAWN_API Step map_ids(IdMaps maps);

}  // namespace syncspawn::steps
