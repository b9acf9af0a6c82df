// A child in its own user namespace: it waits while the parent writes the maps.
#include <cstdio>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

int main() {
    syncspawn::SyncedSpawner spawner({.program = "sh",
                                      .arguments = {"-c", "test $(id -u) = 0 && id"},
                                      .birth = {.namespaces = syncspawn::Namespaces::user}});
    spawner.step(syncspawn::steps::map_root());
    try {
        return spawner.spawn().wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
