// A child in its own user namespace: it waits while the parent writes the maps.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include <syncspawn/launcher.hpp>

namespace {

std::error_code write_maps(syncspawn::ParentSide& side) {
    const std::string process = "/proc/" + std::to_string(side.child_pid());
    std::ofstream(process + "/setgroups") << "deny";
    std::ofstream uid_map(process + "/uid_map");
    std::ofstream gid_map(process + "/gid_map");
    uid_map << "0 " << geteuid() << " 1\n" << std::flush;
    gid_map << "0 " << getegid() << " 1\n" << std::flush;
    return uid_map && gid_map ? side.done()
                              : side.fail("write the id maps", syncspawn::Hint::id_map);
}

}  // namespace

int main() {
    syncspawn::SyncedSpawner spawner({.program = "sh",
                                      .arguments = {"-c", "test $(id -u) = 0 && id"},
                                      .birth = {.namespaces = syncspawn::Namespaces::user}});
    spawner.step({.name = "uid map", .parent = write_maps});
    try {
        return spawner.spawn().wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
