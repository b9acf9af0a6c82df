#pragma once

#include <sys/types.h>

#include <string>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/birth.hpp>
#include <syncspawn/launcher/step.hpp>

/// Namespaces that are there already, and that the program is to run in: setns(2).
///
///     #include <sched.h>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/steps.hpp>
///     #include <unistd.h>
///
///     using syncspawn::Namespaces;
///
///     int main() {
///         // A program in new namespaces, and one that looks at them from within.
///         syncspawn::SyncedSpawner container({.program = "sleep",
///                                             .arguments = {"100"},
///                                             .birth = {.namespaces = Namespaces::user | Namespaces::uts}});
///         container.step({.name = "name", .child = syncspawn::shared_memory([](syncspawn::ChildSide& side) {
///                             return sethostname("box", 3) < 0 ? side.fail("sethostname") : side.done();
///                         })});
///         const syncspawn::Process box = container.spawn();
///         syncspawn::SyncedSpawner look({.program = "sh", .arguments = {"-c", "test $(uname -n) = box"}});
///         look.step(syncspawn::steps::join_namespaces(box.pid(), Namespaces::user | Namespaces::uts));
///         return look.spawn().wait().shell_code();
///     }
///
/// The namespaces are opened by these calls, not by the launch, and stay open as long as the step exists. So
/// they exist as long, even if their processes end, and no number can come to mean another process.
///
/// It takes CAP_SYS_ADMIN in the namespace and, unless that is a user namespace, in one's own. Joining a user
/// namespace of one's own gives that. Whoever joins one keeps the ids. To be root in there, add
///
///     spawner.step(steps::become({.user = 0, .group = 0}));
///
/// with `.groups = std::nullopt` where setgroups(2) is denied. After a mount namespace has been joined, the
/// root and the working directory are its root; the program is searched in there.
///
/// A pid namespace cannot be joined by a process, only by its later children, so not in a step: see
/// Birth::pid_namespace.
///
/// Joining a user or a time namespace takes copied memory: the kernel refuses the latter to a process that
/// shares memory (EUSERS), and the owner of the former could write to the parent's memory through the child.

namespace syncspawn::steps {

/// Joins these namespaces of a running process. Throws std::system_error if one cannot be opened (EACCES:
/// this process may not trace that one), and std::invalid_argument if there is Namespaces::pid among them, or
/// none at all.
[[nodiscard]] SYNCSPAWN_API Step join_namespaces(pid_t process, Namespaces which);

/// Joins the namespace that a path leads to: "/run/netns/blue", "/proc/4711/ns/time". Throws as the other
/// does, also if it leads to something else.
[[nodiscard]] SYNCSPAWN_API Step join_namespace(const std::string& path);

/// The same for an open one. The step owns the descriptor.
[[nodiscard]] SYNCSPAWN_API Step join_namespace(UniqueFd opened);

}  // namespace syncspawn::steps
