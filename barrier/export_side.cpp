// Export, the way out, which a child may go between fork and execve: see the test child_calls.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "barrier/linux/bounded_text.hpp"
#include "barrier/linux/fresh_descriptor.hpp"
#include "barrier/linux/proc.hpp"
#include "hand_over.hpp"
#include "handed_state.hpp"

namespace syncspawn::core {
namespace {

bool move_to_at_least(int& fd, int lowest_fd) noexcept {
    if (fd >= lowest_fd) {
        return true;
    }
    const int moved = duplicate_from(fd, lowest_fd);
    if (moved < 0) {
        return false;
    }
    ::close(fd);
    fd = moved;
    return true;
}

bool survive_execve(int fd) noexcept { return fcntl(fd, F_SETFD, 0) == 0; }

}  // namespace

Outcome export_side(Side& side, syncspawn_barrier_environment& environment,
                    int lowest_fd) noexcept {
    if (side.failure != 0) {
        side.last_error = side.failure;
        return Outcome::failed;
    }
    if (side.is_open == 0 || side.role == SYNCSPAWN_NO_ROLE || own_pipe_end(side) < 0) {
        return misuse(side);
    }
    const int lowest = lowest_fd > lowest_exported_fd ? lowest_fd : lowest_exported_fd;
    struct stat pipe {};
    // All are moved before the first may survive: what fails half-way leaks nothing.
    if (!move_to_at_least(side.local_fd, lowest) || !move_to_at_least(side.remote_fd, lowest) ||
        !move_to_at_least(own_pipe_end(side), lowest)) {
        if (errno != EMFILE) {
            return fail(side, errno);
        }
        side.last_error = EMFILE;  // no room at that height; here the barrier works as before
        return Outcome::failed;
    }
    if (fstat(own_pipe_end(side), &pipe) < 0 || !survive_execve(side.local_fd) ||
        !survive_execve(side.remote_fd) || !survive_execve(own_pipe_end(side))) {
        return fail(side, errno);
    }
    detail::BoundedText(environment.local_fd) << local_name << "=" << side.local_fd;
    detail::BoundedText(environment.remote_fd) << remote_name << "=" << side.remote_fd;
    detail::BoundedText(environment.pipe_fd) << pipe_name << "=" << own_pipe_end(side);
    const State state{version,
                      side.role,
                      getpid(),
                      proc::pid_namespace(),
                      side.balance,
                      side.seen,
                      side.abort_state,
                      proc::eventfd_id(side.local_fd),
                      proc::eventfd_id(side.remote_fd),
                      static_cast<std::int64_t>(pipe.st_ino)};
    detail::BoundedText text(environment.state);
    text << state_name;
    for (const Field& field : fields) {
        text << (&field == std::begin(fields) ? "=" : ":") << state.*field.member;
    }
    return Outcome::reached;
}

}  // namespace syncspawn::core
