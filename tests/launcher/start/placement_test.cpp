// Where the child is born: cgroup and namespaces, by every way to start it.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/cgroup.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/system_call_trap.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// The line of /proc/PID/cgroup that is of cgroup v2.
std::string cgroup_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("0::")) {
            return line;
        }
    }
    return {};
}

SpawnOptions waiting_program(StartMethod start) {
    return {.program = "cat", .streams = {.input = Stdio::pipe()}, .birth = {.method = start}};
}

// The program has been in the cgroup from the first: its parent's part saw it there. Memory is copied:
// a limit of the cgroup would reach all that share it.
void expect_in(const Cgroup& cgroup, SpawnOptions options) {
    options.birth.cgroup = cgroup.fd();
    std::string seen;
    SyncedSpawner spawner(options);
    spawner.step({.name = "child",
                  .child = shared_memory([](ChildSide&) {}),
                  .parent = [&](ParentSide& side) { seen = cgroup_of(side.child_pid()); },
                  .order = StepOrder::child_first});
    Process process = spawner.spawn();
    CHECK(process.start_method() == StartMethod::copied_memory);
    CHECK(seen.ends_with("/" + cgroup.name()));
    CHECK(cgroup_of(process.pid()) == seen);
    CHECK(cgroup_of(getpid()).find(cgroup.name()) == std::string::npos);
    process.kill();
}

}  // namespace

TEST_CASE("the child is in the cgroup by either method") {
    const Cgroup cgroup;
    if (cgroup) {
        expect_in(cgroup, waiting_program(StartMethod::automatic));
        expect_in(cgroup, waiting_program(StartMethod::copied_memory));
        SpawnOptions with_namespaces = waiting_program(StartMethod::copied_memory);
        with_namespaces.birth.namespaces = Namespaces::uts | Namespaces::ipc;
        expect_in(cgroup, with_namespaces);
        with_namespaces.birth.method = StartMethod::automatic;
        expect_in(cgroup, with_namespaces);
    }
}

TEST_CASE("a launch into a cgroup shares memory only while its caller is suspended") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    RETURN_UNLESS_MEMORY_CAN_BE_SHARED();
    SpawnOptions options = waiting_program(StartMethod::automatic);
    options.birth.cgroup = cgroup.fd();
    Process process = SyncedSpawner(options).spawn();
    CHECK(process.start_method() == StartMethod::shared_memory);
    CHECK(cgroup_of(process.pid()).ends_with("/" + cgroup.name()));
    process.kill();
    options.birth.method = StartMethod::shared_memory;
    SyncedSpawner with_part(options);
    with_part.step({.name = "x", .child = shared_memory([](ChildSide&) {})});
    const SpawnError error = failure_of(with_part);
    CHECK(std::string(error.what()) ==
          "start the child: a limit of the cgroup would reach this process while memory is shared: "
          "function not implemented");
}

TEST_CASE("a launch into a frozen cgroup is refused, also below one that is frozen") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    mkdirat(cgroup.fd(), "below", 0755);
    const UniqueFd below(openat(cgroup.fd(), "below", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd freeze(openat(cgroup.fd(), "cgroup.freeze", O_WRONLY | O_CLOEXEC));
    if (freeze) {
        REQUIRE(write(freeze.get(), "1", 1) == 1);
        for (const StartMethod start : {StartMethod::automatic, StartMethod::copied_memory}) {
            for (const int directory : {cgroup.fd(), below.get()}) {
                SpawnOptions options{.program = "true", .birth = {.method = start}};
                options.birth.cgroup = directory;
                const SpawnError error = failure_of(options);
                CHECK(std::string(error.what()) ==
                      "start the child: the cgroup is frozen: resource deadlock avoided");
            }
        }
        CHECK(count_children() == 0);
    } else {
        leave_out("cgroups cannot be frozen here (Linux 5.2)");
    }
    unlinkat(cgroup.fd(), "below", AT_REMOVEDIR);
}

TEST_CASE("without clone3 the child joins the cgroup itself") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    Peer peer([&] {
        refuse_system_calls({SYS_clone3}, ENOSYS);
        for (const Namespaces namespaces : {Namespaces::none, Namespaces::uts}) {
            SpawnOptions options = waiting_program(StartMethod::automatic);
            options.birth.cgroup = cgroup.fd();
            options.birth.namespaces = namespaces;
            Process process = SyncedSpawner(options).spawn();
            expect(process.start_method() == StartMethod::copied_memory);
            expect(cgroup_of(process.pid()).ends_with("/" + cgroup.name()));
            process.kill();
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a cgroup that is none is told as such by either method") {
    const UniqueFd directory(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const StartMethod start : {StartMethod::automatic, StartMethod::copied_memory}) {
        SpawnOptions options{.program = "true", .birth = {.method = start}};
        options.birth.cgroup = directory.get();
        const std::string text = failure_of(options).what();
        CAPTURE(text);
        CHECK(text.starts_with("start"));
        CHECK(text.find("cgroup") != std::string::npos);
    }
    SpawnOptions closed{.program = "true"};
    closed.birth.cgroup = 1000;
    CHECK(std::string(failure_of(closed).what()).find("descriptor 1000 of the cgroup") !=
          std::string::npos);
}

TEST_CASE("a cgroup for which the kernel has no room for processes says why") {
    const Cgroup cgroup;
    if (!cgroup) {
        return;
    }
    // A threaded cgroup makes its siblings invalid.
    const auto make = [&](const char* name) {
        mkdirat(cgroup.fd(), name, 0755);
        return UniqueFd(openat(cgroup.fd(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    };
    const UniqueFd threaded = make("threaded");
    const UniqueFd invalid = make("invalid");
    const UniqueFd type(openat(threaded.get(), "cgroup.type", O_WRONLY | O_CLOEXEC));
    REQUIRE(write(type.get(), "threaded", 8) == 8);
    for (const StartMethod start : {StartMethod::automatic, StartMethod::copied_memory}) {
        SpawnOptions options{.program = "true", .birth = {.method = start}};
        options.birth.cgroup = invalid.get();
        const std::string text = failure_of(options).what();
        CAPTURE(text);
        CHECK(text.find("'domain invalid'") != std::string::npos);
    }
    unlinkat(cgroup.fd(), "invalid", AT_REMOVEDIR);
    unlinkat(cgroup.fd(), "threaded", AT_REMOVEDIR);
}
