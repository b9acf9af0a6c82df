// Limits of a policy, where the kernel has the controllers for them. Another kernel runs this, too.

#include "scene.hpp"

#include <algorithm>

using namespace syncspawn;
using namespace syncspawn::testing;

TEST_CASE("limits of all processes together hold by a cgroup, and the report shows them") {
    // Not here(): the peers of other tests would have it from this process.
    const std::vector<std::string> controllers = Machine::probe().cgroup_controllers;
    for (const char* needed : {"memory", "pids"}) {
        if (std::find(controllers.begin(), controllers.end(), needed) == controllers.end()) {
            SKIP_TEST("the controller " + std::string(needed) +
                      " is not there for cgroups that this process makes");
        }
    }
    Peer peer([] {
        const Sandbox sandbox({.limits = {.memory = 20'000'000, .processes = 20}});
        expect(has(sandbox.explain().to_string(), "limits: by a cgroup\n"));
        // tail(1) keeps in memory what it is to write at the end.
        expect_held(sandbox, "head -c 50000000 /dev/zero | tail -c 49999999 | wc -c; cat", "0\n");
        expect_held(sandbox,
                    "(for one in 1 2 3 4 5 6; do for each in 1 2 3 4 5 6; do sleep 1000 & done; "
                    "done; echo all) 2>/dev/null; cat",
                    "");
        // A program that has other limits is not taken for one that has these.
        SyncedSpawner spawner({.program = "sleep", .arguments = {"1000"}});
        Sandbox({.limits = {.memory = 30'000'000, .processes = 20}}).add_to(spawner);
        const Process other = spawner.spawn();
        expect(!sandbox.enforcement(other).is_as_planned());
    });
    CHECK(peer.ending() == reached_the_end);
}
