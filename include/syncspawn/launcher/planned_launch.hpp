#pragma once

#include <string>
#include <vector>

#include <syncspawn/barrier/visibility.h>

/// syncspawn::PlannedLaunch: what parent and child will do in a launch, before there is one.
///
///     #include <cstdio>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         syncspawn::SyncedSpawner spawner({.program = "true"});
///         spawner.step({.name = "limits", .parent = [](syncspawn::ParentSide&) {}});
///         const std::string plan = syncspawn::draw(spawner.explain());  // starts nothing
///         std::fputs(plan.c_str(), stdout);
///         return plan.find("limits") == std::string::npos ? 1 : 0;
///     }
///
/// It prints
///
///     parent                                   | child
///     starts the child                         |
///     'limits'                                 |
///     meets the child at [ready to exec]       | meets the parent at [ready to exec]
///                                              | execve 'true'
///     sees the program run                     |
///
/// What stands in two columns of one line, neither side passes before the other has come. Between two such lines each
/// side goes its own way, from above to below.

namespace syncspawn {

/// One line of it: what each side does. One of the two may be empty.
struct PlannedEvent {
    std::string parent{};  ///< for people to read: the words may change from version to version
    std::string child{};
};

using PlannedLaunch = std::vector<PlannedEvent>;

/// Draws it as text: the parent's column, the child's column. Each line is ended by a newline.
[[nodiscard]] SYNCSPAWN_API std::string draw(const PlannedLaunch& plan);

}  // namespace syncspawn
