#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <memory>
#include <optional>
#include <string>

#include "support/sandboxed.hpp"
#include "tests/launcher/faults/call_supervisor.hpp"

// docs/what-fails-elsewhere.md: thousands of binds. What they cost is counted, not timed.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// The system calls of the child up to its execve, with so many directories that may be written.
std::optional<long> calls_with(int binds) {
    const TemporaryDirectory directory;
    const auto spawner = std::make_shared<std::optional<SyncedSpawner>>();
    std::optional<pid_t> launcher;
    bool has_executed = false;
    long calls = 0;
    const Subject subject{
        .prepare =
            [&, spawner] {
                Policy policy;
                for (int number = 0; number < binds; ++number) {
                    policy.files.writable.push_back(directory / std::to_string(number));
                    expect(mkdir(policy.files.writable.back().c_str(), 0755) == 0);
                }
                spawner->emplace(SpawnOptions{.program = "true"});
                planned(policy).add_to(**spawner);
            },
        .work = [spawner] { expect((*spawner)->spawn().wait().success()); }};
    const auto count = [&](const SeenCall& call) {
        launcher = launcher.value_or(call.thread);
        calls += call.thread != *launcher && !has_executed ? 1 : 0;
        has_executed = has_executed || call.number == SYS_execve;
        return Sentence::passes();
    };
    const std::optional<int> status = supervise(subject, count);
    if (status) {
        CHECK(WIFEXITED(*status));
        CHECK(WEXITSTATUS(*status) == status_reached);
    }
    return status ? std::optional(calls) : std::nullopt;
}

}  // namespace

TEST_CASE("each of a thousand binds costs as many system calls as any other, and few") {
    const auto five_hundred = calls_with(500);
    const auto thousand = calls_with(1000);
    const auto two_thousand = calls_with(2000);
    if (!five_hundred || !thousand || !two_thousand) {
        SKIP_TEST("nothing can be supervised here, or the policy cannot be held");
    }
    const long for_five_hundred = *thousand - *five_hundred;
    const long for_thousand = *two_thousand - *thousand;
    MESSAGE(for_thousand << " calls for a thousand binds");
    // Waiting for the other side takes a call more or less.
    constexpr long slack = 50;
    CHECK(for_thousand <= 2 * for_five_hundred + slack);
    CHECK(for_thousand >= 2 * for_five_hundred - slack);
    CHECK(for_thousand <= 12 * 1000);
}
