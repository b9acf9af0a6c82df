// Attaches, does as many rendezvous as it is told (default: one), and ends with 42.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <syncspawn/barrier/hand_over.hpp>

int main(int argc, char** argv) {
    syncspawn::AttachError error;
    syncspawn::Barrier barrier = syncspawn::attach(error);
    if (error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
    for (int round = 0; round < (argc > 1 ? std::atoi(argv[1]) : 1); ++round) {
        if (barrier.place_and_sync() != syncspawn::Outcome::reached) {
            return 4;
        }
    }
    _exit(42);  // not by return: a leak checker needs /proc, which not every test leaves here
}
