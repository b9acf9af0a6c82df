#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "support/cgroup.hpp"
#include "support/nothing_is_left.hpp"
#include "support/skip.hpp"
#include "support/steps.hpp"

// That the kernel holds a program to its limits. Where the controllers are not there, other_kernel.sh runs this in
// a kernel that has them.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// Where this process has none of its own with processes in it: below the root of all cgroups.
std::optional<CgroupPlace> place_with(const std::string& controller) {
    const CgroupFacts facts = cgroup_facts({.parent = cgroup_facts().mount});
    for (const std::string& there : facts.controllers) {
        if (there == controller) {
            return CgroupPlace{.parent = facts.parent};
        }
    }
    leave_out("no controller '" + controller + "' for cgroups of version 2");
    return std::nullopt;
}

struct LimitedRun {
    ExitStatus status;
    CgroupUsage usage;
};

LimitedRun ending_of(const std::string& script, const CgroupLimits& limits,
                     const CgroupPlace& place) {
    CgroupUsage usage;
    Process process =
        with_step(shell(script),
                  sandbox::cgroup(limits, place, [&](const CgroupUsage& end) { usage = end; }))
            .spawn();
    const ExitStatus status = process.wait();
    CHECK(process.after_end_failures().empty());
    return {status, usage};
}

// 200 MB in one piece, which it fills.
constexpr const char* hungry = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; exit 3";
constexpr std::uint64_t little = 50'000'000;

}  // namespace

TEST_CASE("a program that wants too much memory is killed, and the others go on") {
    const NothingIsLeft check;
    const auto place = place_with("memory");
    if (!place) {
        return;
    }
    const LimitedRun ending = ending_of(hungry, {.memory = little}, *place);
    CHECK(ending.status == ExitStatus::exited(3));
    CHECK(ending.usage.out_of_memory_kills == 1);
    REQUIRE(ending.usage.memory_peak);
    CHECK(*ending.usage.memory_peak <= little);
}

TEST_CASE("or all of the cgroup is killed") {
    const auto place = place_with("memory");
    if (!place) {
        return;
    }
    const LimitedRun ending =
        ending_of(hungry, {.memory = little, .out_of_memory = OutOfMemory::kills_all}, *place);
    CHECK(ending.status == ExitStatus::killed(SIGKILL));
    CHECK(ending.usage.out_of_memory_kills.value_or(0) >= 2);
}

TEST_CASE("a program with enough memory meets no limit") {
    const auto place = place_with("memory");
    if (!place) {
        return;
    }
    const LimitedRun ending = ending_of("exit 0", {.memory = little}, *place);
    CHECK(ending.status.success());
    CHECK(ending.usage.out_of_memory_kills == 0);
}

TEST_CASE("no more processes are there at the same time than there may be") {
    const NothingIsLeft check;
    const auto place = place_with("pids");
    if (!place) {
        return;
    }
    const LimitedRun ending = ending_of("for i in 1 2 3 4 5 6; do sleep 1000 & done 2>/dev/null",
                                        {.processes = 4}, *place);
    CHECK(!ending.status.success());
    CHECK(ending.usage.refused_forks.value_or(0) >= 1);
    if (ending.usage.processes_peak) {
        CHECK(*ending.usage.processes_peak == 4);
    }
}

TEST_CASE("a program that wants more of the CPUs than it has waits") {
    const auto place = place_with("cpu");
    if (!place) {
        return;
    }
    // It goes on until it was seen to wait, however slow the machine.
    Process process =
        with_step(shell("while :; do :; done"), sandbox::cgroup({.cpus = 0.02}, *place)).spawn();
    CHECK(read_cgroup(process.pid()).limits.at("cpu.max") == "2000 100000");
    CHECK(comes_true(
        [&] { return read_cgroup(process.pid()).usage.throttled_microseconds.value_or(0) > 0; }));
    process.kill();
    CHECK(process.after_end_failures().empty());
}

TEST_CASE("a policy's limits hold against a program that wants all it can get") {
    const auto& there = Machine::here().cgroup_controllers;
    for (const char* const controller : {"memory", "pids"}) {
        if (std::find(there.begin(), there.end(), controller) == there.end()) {
            SKIP_TEST(std::string("no controller '") + controller + "' for cgroups of version 2");
        }
    }
    const Sandbox sandbox({.limits = {.memory = little, .processes = 8}});
    const auto ending = [&](const std::string& script) {
        SyncedSpawner spawner(shell(script));
        sandbox.add_to(spawner);
        return spawner.spawn().wait();
    };
    CHECK(ending(hungry) == ExitStatus::exited(3));
    // Each starts two more, until there are so many, or it runs out of its generations.
    CHECK(ending("bomb() { test $1 = 0 || { bomb $(($1 - 1)) & bomb $(($1 - 1)) & wait; }; }\n"
                 "bomb 5 2>&1 | grep -qi 'resource\\|fork'") == ExitStatus::exited(0));
}

TEST_CASE("a device that is not there is refused before any launch") {
    const auto place = place_with("io");
    if (!place) {
        return;
    }
    const auto problems =
        cgroup_problems({.io = {{.device = "4095:4095", .read_bytes = 1'000'000}}}, *place);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].limit == "io");
    CHECK(problems[0].error == std::errc::no_such_device);
}
