#include <cstdio>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

int main() {
    syncspawn::SyncedSpawner spawner{{.program = "true"}};
    try {
        const syncspawn::sandbox::Sandbox sandbox(
            syncspawn::sandbox::parse_policy("limits = { open_files = 64 }"));
        sandbox.add_to(spawner);
    } catch (const syncspawn::sandbox::PolicyError& error) {
        std::puts(
            error.what());  // this machine cannot hold it: the library has been linked all the same
        return 0;
    }
    return spawner.spawn().wait().shell_code();
}
