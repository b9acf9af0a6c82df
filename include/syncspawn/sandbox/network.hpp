#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/step.hpp>
#include <syncspawn/sandbox/door.hpp>

/// The network of a program that has one of its own: its loopback, doors to the launcher, and the way in.
///
///     #include <cstdio>
///     #include <sys/socket.h>
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/namespaces.hpp>
///     #include <syncspawn/sandbox/network.hpp>
///     #include <unistd.h>
///     #include <utility>
///
///     using syncspawn::Namespaces;
///
///     int main() {
///         namespace sandbox = syncspawn::sandbox;
///         syncspawn::SyncedSpawner spawner(
///             {.program = "bash",
///              .arguments = {"-c", "exec 3<>/dev/tcp/127.0.0.1/80 && read line <&3 && test $line = hello"},
///              .birth = {.namespaces = Namespaces::user | Namespaces::network}});
///         sandbox::OpenDoor proxy;
///         spawner.step(sandbox::map_own_id());
///         spawner.step(sandbox::loopback_up());
///         spawner.step(sandbox::door({.name = "proxy", .address = "127.0.0.1:80"},
///                                    [&](sandbox::OpenDoor opened) { proxy = std::move(opened); }));
///         syncspawn::Process program = spawner.spawn();
///
///         const syncspawn::UniqueFd guest(accept4(proxy.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
///         dprintf(guest.get(), "hello\n");
///         return program.wait().shell_code();
///     }
///
/// A new network namespace (`birth.namespaces`) has a loopback device that is down, and nothing else. A
/// **door** is a socket that listens in there, and that your process accepts from: so the program reaches
/// your process, and nothing else. There is no device between the two, no address of the host, and no
/// process that passes bytes on.
///
/// An address is "127.0.0.1:3128", "[::1]:3128", the absolute path of a unix socket as the program sees it,
/// or "@" and the name of an abstract one. Names of hosts are not looked up.

namespace syncspawn::sandbox {

/// Brings the loopback device up: then 127.0.0.1 and ::1 are there. The launch fails with EINVAL if the
/// child is in no network namespace of its own, and with EPERM if it lacks CAP_NET_ADMIN in there, as where
/// AppArmor takes the capabilities of new user namespaces away.
[[nodiscard]] SYNCSPAWN_API Step loopback_up();

/// The launcher's end of a door.
struct OpenDoor {
    std::string name{};
    std::string address{};  ///< with the port that it has
    pid_t process = -1;     ///< whose door it is: Process::pid()
    /// It listens, blocks, and is close-on-exec. The network namespace exists as long as you hold it: close
    /// it when the program has ended.
    UniqueFd listener{};
};

/// Opens a door. Put it behind loopback_up(), and a unix path behind the mounts.
///
/// `opened` is called once in each launch, by the thread that launches, when the program runs: before its
/// readiness is waited for, and before spawn() returns. It takes the listener. One spawner may launch many
/// times at once: then it is called by several threads, and OpenDoor::process tells the launches apart.
/// What it throws fails the launch, as in any part. If the launch fails afterwards, the listener is still
/// yours, and nobody connects any more.
///
/// The program can connect from its first instruction on: it waits until you accept.
///
/// An address of IP, or an abstract name, is refused with EINVAL if the child is in no network namespace of
/// its own, since everybody on the host could connect. A unix path makes a file, which is yours to remove:
/// choose a path in a private tmp.
///
/// With port 0 the kernel chooses one: see OpenDoor::address. Until you accept them, `backlog` connections
/// wait (listen(2)).
///
/// Throws std::invalid_argument for what is no address, and without a function to call.
[[nodiscard]] SYNCSPAWN_API Step door(Door door, std::function<void(OpenDoor)> opened,
                                      int backlog = 128);

/// Connects to a server inside: a stream socket in the program's network namespace or, for a unix path,
/// below its root directory. The socket blocks, and is close-on-exec. An ordinary user may do that for
/// programs of its own; else it takes CAP_SYS_ADMIN in the user namespace of the program.
///
/// Meanwhile there is a child of this process, which no signal tells of. It is gone when this returns.
///
/// Throws std::invalid_argument for what is no address, and std::system_error: ECONNREFUSED where nobody
/// listens (yet), ETIMEDOUT when the time is up, ESRCH if the program has ended, EACCES if this process may
/// not look into that one. Thread-safe, but as all members of Process, not at the same time as others of
/// that object.
[[nodiscard]] SYNCSPAWN_API UniqueFd
connect_inside(const Process& process, const std::string& address,
               std::chrono::nanoseconds within = std::chrono::seconds(10));

}  // namespace syncspawn::sandbox
