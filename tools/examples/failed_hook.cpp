// A launch that fails in the child: what the parent had done for it is undone, and the error says which
// side, which step, which errno.
#include <fcntl.h>

#include <cstdio>

#include <syncspawn/launcher.hpp>

int main() {
    syncspawn::SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "reserve an address",
                  .parent = [](syncspawn::ParentSide&) { std::puts("an address is reserved"); },
                  .undo = [](syncspawn::ParentSide&) { std::puts("the address is given back"); }});
    spawner.rendezvous("reserved");  // the child goes on when the address is there
    spawner.step({.name = "load the policy",
                  .child = syncspawn::async_signal_safe([](syncspawn::ChildSide& side) {
                      const int fd = open("/no/such/policy", O_RDONLY);
                      return fd < 0 ? side.fail("open '/no/such/policy'") : side.done();
                  })});
    try {
        return spawner.spawn().wait().shell_code();
    } catch (const syncspawn::SpawnError& error) {
        std::puts(error.what());
        return 1;
    }
}
