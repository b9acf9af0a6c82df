#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Absent paths: files that do not exist, and that the program must not make.
///
///     #include <cstdlib>
///     #include <string>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/absent_paths.hpp>
///     #include <syncspawn/sandbox/mounts.hpp>
///     #include <syncspawn/steps.hpp>
///     #include <unistd.h>
///
///     using namespace syncspawn;
///     using sandbox::Mount;
///
///     int main() {
///         char directory[] = "/tmp/example-XXXXXX";
///         if (mkdtemp(directory) == nullptr) return 1;
///         const std::string git = std::string(directory) + "/.git";
///         SyncedSpawner spawner({.program = "sh",
///                                .arguments = {"-c", "! mkdir \"$1\" && ! echo x >\"$1\"", "sh", git},
///                                .birth = {.namespaces = Namespaces::user | Namespaces::mount}});
///         spawner.step(steps::map_caller());
///         spawner.step(sandbox::keep_absent({git}));
///         spawner.step(sandbox::mounts({Mount::bind("/", "/"), Mount::bind_writable(directory, directory),
///                                       Mount::protect(git, sandbox::LastLink::itself)}));
///         const int code = spawner.spawn().wait().shell_code();
///         return rmdir(directory) == 0 ? code : 1;  // nothing is left in it
///     }
///
/// A mount needs something to lie on. So for as long as the sandbox is there, the host has a symbolic link in the
/// path's place that leads nowhere: opening it or asking for its status finds as little as before (ENOENT). Inside, the
/// link can be neither removed nor replaced, nor can anything be made through it.

namespace syncspawn::sandbox {

/// Keeps these paths absent, together with Mount::protect(path, LastLink::itself). Each is absolute, without
/// symbolic links but the last name, and its directory exists. What exists at the launch is left to that operation;
/// so is what this user may not make (EACCES, EROFS): nobody inside may, either. Set MissingSource::skip there. But
/// EACCES in a directory of this user's own fails the launch: inside, its mode could be changed.
///
/// The link is made before the child is started. It is removed after the program's end, or when the launch fails, by
/// the last sandbox of this user that needs it, and only if it is still what was made. If this process is killed before
/// that, a process of the library's own removes it: it is started with the link, as a child of this process, and ends
/// with the program; so it is for a program that outlives its Process. If both are killed at once, as with the pid namespace
/// that this process is the first of, the next launch of a step like this one removes it. Locks in a
/// directory of the user tell what is needed still (/run/syncspawn for root, else /run/user/UID/syncspawn, and where
/// that cannot be made /tmp/syncspawn-UID; it stays).
///
/// Of another user's sandbox it has no locks. So where that has such a link, the launch fails (EBUSY): the link would go
/// with that sandbox. Nor does it know of the sandboxes of another container that shares the directory.
///
/// Throws std::invalid_argument for a path that is not absolute, or ends with "." or "..", and std::system_error if
/// there can be no such directory.
[[nodiscard]] SYNCSPAWN_API Step keep_absent(std::vector<std::string> paths);

}  // namespace syncspawn::sandbox
