// A cgroup whose memory runs out ends what is in it, and never the process that launched it.

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/cgroup.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// With a limit of memory: of version 2, or of version 1 where that has the controller.
class LimitedCgroup : public Cgroup {
public:
    LimitedCgroup() : Cgroup("no memory cgroup can be made here", set_limit) {}

private:
    static bool set_limit(const std::string& directory, Version version) {
        const char* const limit =
            version == Version::second ? "/memory.max" : "/memory.limit_in_bytes";
        (void)write_to(directory + "/memory.swap.max", "0");  // there is none without swap
        return write_to(directory + limit, std::to_string(8 << 20));
    }
};

constexpr std::size_t much = std::size_t{64} << 20;

// More than the limit. Async-signal-safe.
void use_much_memory() noexcept {
    void* const memory =
        mmap(nullptr, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (std::size_t byte = 0; memory != MAP_FAILED && byte < much; byte += 4096) {
        static_cast<volatile char*>(memory)[byte] = 1;
    }
}

// In a peer, which is large, so that it would be the first to be killed.
void expect_child_alone_is_killed(SyncedSpawner& spawner) {
    std::vector<char> ballast(2 * much, 'x');
    const SpawnError error = failure_of(spawner);
    expect(std::string(error.what()).find("SIGKILL") != std::string::npos);
    expect(ballast[much] == 'x');
}

}  // namespace

TEST_CASE("a part of the parent may put a child with copied memory into a cgroup that runs full") {
    const LimitedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    Peer peer([&] {
        SyncedSpawner spawner({.program = "true", .birth = {.method = StartMethod::copied_memory}});
        spawner.step({.name = "move", .parent = [&](ParentSide& side) {
                          return cgroup.take(side.child_pid()) ? side.done() : side.fail("move");
                      }});
        spawner.rendezvous("moved");
        spawner.step(
            {.name = "fill", .child = shared_memory([](ChildSide&) { use_much_memory(); })});
        expect_child_alone_is_killed(spawner);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a child that is born into a cgroup that runs full is killed alone") {
    const LimitedCgroup cgroup;
    if (!cgroup) {
        return;
    }
    if (cgroup.version() != Cgroup::Version::second) {
        SKIP_TEST("cgroup v2 has no memory controller here");
    }
    Peer peer([&] {
        SyncedSpawner spawner({.program = "true", .birth = {.cgroup = cgroup.fd()}});
        spawner.step(
            {.name = "fill", .child = shared_memory([](ChildSide&) { use_much_memory(); })});
        expect_child_alone_is_killed(spawner);
    });
    CHECK(peer.ending() == reached_the_end);
}
