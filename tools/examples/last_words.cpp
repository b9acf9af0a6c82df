// A daemon that fails before it is ready: the error has its last words.
#include <chrono>
#include <cstdio>

#include <syncspawn/launcher.hpp>

using namespace std::chrono_literals;

int main() {
    const syncspawn::SyncedSpawner spawner(
        {.program = "sh",
         .arguments = {"-c", "echo 'cannot bind port 80: permission denied' >&2; exit 3"},
         .streams = {.error = syncspawn::Stdio::pipe()},
         .readiness = {.within = 10s}});
    try {
        syncspawn::Process daemon = spawner.spawn();  // back when the daemon says it is ready
        return daemon.wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::printf("%s\n", error.what());  // quotes the last lines; last_words() has up to 4 KiB
        return 1;
    }
}
