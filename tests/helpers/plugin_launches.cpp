// A plug-in that launches.

#include <syncspawn/launcher.hpp>

namespace {

using namespace syncspawn;

bool launch(SpawnOptions options) {
    SyncedSpawner spawner(std::move(options));
    spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    SpawnError error;
    Process process = spawner.spawn(error);
    return process && process.wait().success();
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] bool plugin_launches();
[[gnu::visibility("default")]] bool plugin_launches_with_death_signal();
}

bool plugin_launches() { return launch({.program = "true"}); }

bool plugin_launches_with_death_signal() {
    return launch({.program = "true", .ending = {.die_with_parent = true}});
}
