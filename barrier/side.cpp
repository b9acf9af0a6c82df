// The descriptors of one side, and its life: create, the role, the witnesses, the end.

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "barrier/linux/fresh_descriptor.hpp"
#include "core.hpp"

namespace syncspawn::core {

Outcome misuse(Side& side) noexcept {
    side.last_error = EINVAL;
    return Outcome::failed;
}

Outcome fail(Side& side, int error) noexcept {
    side.failure = error;
    side.last_error = error;
    close_and_forget(side.pipe_read_fd);
    close_and_forget(side.pipe_write_fd);
    return Outcome::failed;
}

int& own_pipe_end(Side& side) noexcept {
    return side.role == SYNCSPAWN_PARENT ? side.pipe_read_fd : side.pipe_write_fd;
}

void close_and_forget(int& fd) noexcept {
    if (fd >= 0) {
        ::close(fd);
        fd = -1;
    }
}

int create(Side& side) noexcept {
    side = Side{};
    side.local_fd = side.remote_fd = side.pipe_read_fd = side.pipe_write_fd = side.peer_pidfd = -1;
    const auto give_up = [&side] {
        const int error = errno;
        side.is_open = 1;
        destroy(side);
        side.last_error = error;
        return error;
    };
    side.local_fd = above_standard_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (side.local_fd < 0) {
        return give_up();
    }
    side.remote_fd = above_standard_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (side.remote_fd < 0) {
        return give_up();
    }
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return give_up();
    }
    side.pipe_write_fd = ends[1];
    side.pipe_read_fd = above_standard_streams(ends[0]);
    if (side.pipe_read_fd < 0) {
        return give_up();
    }
    side.pipe_write_fd = above_standard_streams(ends[1]);
    if (side.pipe_write_fd < 0) {
        return give_up();
    }
    side.is_open = 1;
    return 0;
}

Outcome set_role(Side& side, int role) noexcept {
    if (side.is_open == 0 || side.role != SYNCSPAWN_NO_ROLE ||
        (role != SYNCSPAWN_PARENT && role != SYNCSPAWN_CHILD)) {
        return misuse(side);
    }
    side.role = role;
    if (role == SYNCSPAWN_PARENT) {
        close_and_forget(side.pipe_write_fd);
    } else {
        close_and_forget(side.pipe_read_fd);
        const int local = side.local_fd;
        side.local_fd = side.remote_fd;
        side.remote_fd = local;
    }
    return Outcome::reached;
}

Outcome watch_peer(Side& side, int pidfd) noexcept {
    if (side.is_open == 0) {
        return misuse(side);
    }
    side.peer_pidfd = pidfd;
    return Outcome::reached;
}

Outcome distrust_peer(Side& side) noexcept {
    if (side.is_open == 0) {
        return misuse(side);
    }
    side.distrusts_peer = 1;
    return Outcome::reached;
}

void destroy(Side& side) noexcept {
    if (side.is_open != 0) {
        close_and_forget(side.local_fd);
        close_and_forget(side.remote_fd);
        close_and_forget(side.pipe_read_fd);
        close_and_forget(side.pipe_write_fd);
    }
    side = Side{};
}

}  // namespace syncspawn::core
