// Attaches and prints what it found: the error's variable, or the state that came along.

#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <syncspawn/barrier/hand_over.hpp>

extern char** environ;

namespace {

bool is_close_on_exec(int fd) { return fcntl(fd, F_GETFD) == FD_CLOEXEC; }

}  // namespace

int main() {
    syncspawn::AttachError error;
    const syncspawn::Barrier barrier = syncspawn::attach(error);
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, "SYNCSPAWN_", 10) == 0) {
            std::printf("still there: %s\n", *entry);
        }
    }
    if (error) {
        std::printf("problem %d: %s\n", static_cast<int>(error.problem()), error.what());
        return 3;
    }
    const syncspawn_barrier& side = *barrier.native();
    const int pipe = side.role == SYNCSPAWN_PARENT ? side.pipe_read_fd : side.pipe_write_fd;
    std::printf("role %d balance %lld seen %lld abort %d close-on-exec %d\n", side.role,
                static_cast<long long>(side.balance), static_cast<long long>(side.seen),
                side.abort_state,
                is_close_on_exec(side.local_fd) && is_close_on_exec(side.remote_fd) &&
                    is_close_on_exec(pipe));
    return 42;
}
