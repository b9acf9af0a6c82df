#include <syncspawn/launcher.hpp>

int main() {
    syncspawn::SyncedSpawner spawner{{.program = "true"}};
    syncspawn::Process child = spawner.spawn();
    return child.wait() == syncspawn::ExitStatus::exited(0) ? 0 : 1;
}
