// A server that is root in a user namespace of its own, may use a minute of processor time, and is
// ready when spawn() returns.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: server PROGRAM\n");
        return 2;
    }
    try {
        // [launch]
        syncspawn::SyncedSpawner spawner({.program = argv[1],
                                          .birth = {.namespaces = syncspawn::Namespaces::user},
                                          .readiness = {.within = 10s},
                                          .ending = {.scope = syncspawn::KillScope::session}});
        spawner.step(syncspawn::steps::map_root());  // the parent writes the map; the child waits
        spawner.step({.name = "processor time",      // the child limits itself
                      .child = syncspawn::shared_memory([](syncspawn::ChildSide& side) {
                          const rlimit minute{.rlim_cur = 60, .rlim_max = 60};
                          return setrlimit(RLIMIT_CPU, &minute) < 0 ? side.fail("setrlimit")
                                                                    : side.done();
                      })});
        syncspawn::Process server = spawner.spawn();  // back when the server says it is ready
        // [end]
        std::fputs(syncspawn::draw(server.timeline()).c_str(), stdout);
        return server.wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n", error.what());  // which side, which step, which errno
        return 1;
    }
}
