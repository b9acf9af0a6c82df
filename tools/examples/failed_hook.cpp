// A parent that reacts to a child hook that failed: what the parent had done is undone, and the
// error says which side, which step, which errno.
#include <fcntl.h>

#include <cstdio>
#include <string>

#include <syncspawn/launcher.hpp>

int main() {
    std::string journal;
    syncspawn::SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "reserve an address",
                  .parent = [&](syncspawn::ParentSide&) { journal += "reserved, "; },
                  .undo = [&](syncspawn::ParentSide&) { journal += "given back"; }});
    spawner.rendezvous("reserved");
    spawner.step({.name = "load the policy",
                  .child = syncspawn::async_signal_safe([](syncspawn::ChildSide& side) {
                      const int fd = open("/no/such/policy", O_RDONLY);
                      return fd < 0 ? side.fail("open '/no/such/policy'") : side.done();
                  })});

    syncspawn::SpawnError error;
    (void)spawner.spawn(error);
    std::printf("%s\n", error.what());
    std::printf("the address was %s\n", journal.c_str());
    const bool as_expected = error.side() == syncspawn::WhichSide::child &&
                             error.step() == "load the policy" && !error.program_may_have_run() &&
                             journal == "reserved, given back";
    return as_expected ? 0 : 1;
}
