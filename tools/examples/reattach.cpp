// The parent goes on only when the program itself says that it is ready.
#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: reattach PROGRAM\n");
        return 2;
    }
    syncspawn::SyncedSpawner spawner(
        {.program = argv[1], .readiness = {.within = std::chrono::seconds(10)}});
    try {
        syncspawn::Process program = spawner.spawn();  // returns once it is ready
        std::fputs(syncspawn::draw(program.timeline()).c_str(), stdout);
        return program.wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n", error.what());  // exited, aborted, late: it says which
        return 1;
    }
}
