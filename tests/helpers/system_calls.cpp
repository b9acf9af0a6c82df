// Does one thing twenty times between two calls of getppid(2), for strace(1): "ours" or "bare".

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <string_view>

#include "bench/bare_calls.hpp"

template <class Side>
void repeat(std::string_view what, Side& side, const syncspawn_barrier& native, int other_process) {
    char byte = 0;
    getppid();
    for (int round = 0; round < 20; ++round) {
        if (what == "place" || what == "rendezvous") {
            (void)side.place();
        }
        if (what == "ready_wait" && eventfd_write(native.remote_fd, 1) == 0) {  // as the peer would
            (void)side.wait_next();
        }
        if (what == "satisfied_sync" || what == "rendezvous") {
            (void)side.sync();
        }
        // Nobody gets ahead of the other, so every round has the same calls.
        (void)!(write(other_process, &byte, 1) + read(other_process, &byte, 1));
    }
    getppid();
}

int main(int, char** argv) {
    int ends[2];
    syncspawn::BarrierPair pair = syncspawn::Barrier::pair();
    const bool is_parent = socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && fork() != 0;
    syncspawn::Barrier barrier = is_parent ? std::move(pair).parent() : std::move(pair).child();
    syncspawn::bare::Side bare(barrier);
    const int other_process = ends[is_parent ? 0 : 1];
    std::string_view(argv[1]) == "ours" ? repeat(argv[2], barrier, *barrier.native(), other_process)
                                        : repeat(argv[2], bare, *barrier.native(), other_process);
    _exit(42);
}
