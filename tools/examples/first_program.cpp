// A program launched behind a barrier, with a hook on each side.
#include <unistd.h>

#include <cstdio>
#include <string>

#include <syncspawn/launcher.hpp>

int main() {
    syncspawn::SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "echo in $PWD"}});

    spawner.step({.name = "directory",
                  .child = syncspawn::shared_memory([](syncspawn::ChildSide& side) {
                      return chdir("/tmp") < 0 ? side.fail("chdir") : side.done();
                  }),
                  .parent =
                      [](syncspawn::ParentSide& side) {
                          std::printf("the child is %d and waits\n", side.child_pid());
                          std::fflush(stdout);
                      },
                  .order = syncspawn::StepOrder::child_first});

    syncspawn::SpawnError error;
    syncspawn::Process child = spawner.spawn(error);
    if (error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    std::printf("it %s\n", child.wait().to_string().c_str());
    return 0;
}
