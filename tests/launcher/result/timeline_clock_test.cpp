#include <doctest/doctest.h>
#include <linux/sched.h>
#include <sched.h>

#include <chrono>
#include <fstream>

#include "support/launched.hpp"
#include "support/skip.hpp"

// The children of a process that has unshared its time namespace have another CLOCK_MONOTONIC.

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// In a peer: launches children whose clock is that many seconds ahead.
void launch_in_time_namespace(const char* seconds) {
    if (unshare(CLONE_NEWTIME) < 0) {
        leave_out_here("no time namespaces here");
    }
    std::ofstream offsets("/proc/self/timens_offsets");
    offsets << "monotonic " << seconds << " 0" << std::flush;
    if (!offsets) {
        leave_out_here("the clock of a time namespace cannot be set");
    }
    const auto before = std::chrono::steady_clock::now();
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .child = after_fork([](ChildSide&) {})});
    Process process = spawner.spawn();
    const Timeline timeline = process.timeline();
    const auto elapsed = std::chrono::steady_clock::now() - before;
    int of_child = 0;
    for (const TimelineEvent& event : timeline) {
        // Which of them came first is known but for the time between two readings of clocks.
        expect(event.at >= -10s && event.at <= elapsed + 10s);
        of_child += event.side == WhichSide::child ? 1 : 0;
    }
    expect(of_child >= 4);
    expect(process.wait().success());
}

}  // namespace

TEST_CASE("the timeline goes by one clock, though the child's is ahead") {
    Peer peer([] { launch_in_time_namespace("100000"); });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("the timeline goes by one clock, though the child's is behind") {
    Peer peer([] { launch_in_time_namespace("-30"); });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
