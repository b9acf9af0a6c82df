// A wrapper: attaches, places once, and executes the next program with the barrier.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <syncspawn/barrier/hand_over.hpp>

int main(int argc, char** argv) {
    syncspawn::AttachError error;
    syncspawn::Barrier barrier = syncspawn::attach(error);
    if (error || argc < 2) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
    static syncspawn::BarrierEnvironment environment;
    if (barrier.place() != syncspawn::Outcome::reached ||
        syncspawn::export_barrier(barrier, environment) != syncspawn::Outcome::reached) {
        return 4;
    }
    putenv(environment.local_fd);
    putenv(environment.remote_fd);
    putenv(environment.pipe_fd);
    putenv(environment.state);
    execv(argv[1], argv + 1);
    return 5;
}
