#pragma once

#include <cstdint>

namespace syncspawn::detail {

// Which call it was that made a launch fail, as far as this library knows for itself. A hint follows from
// this and the errno, and from nothing else: the words of a user's step are no evidence of what it does.
enum class KnownCall : std::uint32_t {
    none,     // of a part that does not say
    id_map,   // of a part that does: Hint
    session,  // the same

    // The library's own.
    other,
    preparation,              // whatever the parent opens before the start
    new_thread,               // pthread_create(3)
    birth,                    // fork, clone, clone3
    birth_in_cgroup,          // clone3 with CLONE_INTO_CGROUP
    joining_a_cgroup,         // by the child, at cgroup.procs
    joining_a_pid_namespace,  // setns, by the thread that starts the child
    duplication,              // fcntl(F_DUPFD_CLOEXEC) in the child
    second_birth,             // clone, of the program's process where the first is a reaper
    reaper,                   // execveat, of the reaper, behind the program's execve
    behind_execve,            // others of the first process, where that is a reaper
    full_pipe,                // no call: the program's, into a pipe that nobody reads
};

constexpr bool is_of_the_library(KnownCall call) noexcept { return call >= KnownCall::other; }

}  // namespace syncspawn::detail
