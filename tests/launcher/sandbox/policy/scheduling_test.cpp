#include <doctest/doctest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

#include "support/launched.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"
#include "support/terminals.hpp"

// Limits that are the scheduler's, and those that this process may not set.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

int first_own_cpu() {
    cpu_set_t own;
    int cpu = 0;
    if (sched_getaffinity(0, sizeof own, &own) == 0) {
        while (!CPU_ISSET(static_cast<std::size_t>(cpu), &own)) {
            ++cpu;
        }
    }
    return cpu;
}

// What is wrong with these limits; empty: nothing.
std::string refusal_of(const Limits& limits, const Privileges& privileges = {}) {
    try {
        (void)Sandbox(Policy{.limits = limits, .privileges = privileges});
    } catch (const PolicyError& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("the program has the nice value, the scheduling and the CPUs of its policy") {
    const int cpu = first_own_cpu();
    const Policy policy{
        .limits = {.allowed_cpus = {cpu}, .nice = 19, .scheduling = Scheduling::batch}};
    SpawnOptions options = shell(
        "nice; grep Cpus_allowed_list /proc/self/status; set -- $(cat /proc/self/stat); "
        "shift 40; echo $1; exec >&-; exec sleep 1000");
    options.streams.output = Stdio::pipe();
    SyncedSpawner spawner(std::move(options));
    std::optional<Sandbox> sandbox;
    try {
        sandbox.emplace(policy);
        sandbox->add_to(spawner);
    } catch (const PolicyError& error) {
        SKIP_TEST(error.what());
    }
    const Process process = spawner.spawn();
    CHECK(read_all(process.standard_output()) == "19\nCpus_allowed_list:\t" + std::to_string(cpu) +
                                                     "\n" + std::to_string(SCHED_BATCH) + "\n");
    const std::string report = sandbox->enforcement(process).to_string();
    CAPTURE(report);
    CHECK(contains(report, "scheduling policy " + std::to_string(SCHED_BATCH) +
                               ", nice value 19, Cpus_allowed_list " + std::to_string(cpu)));
}

TEST_CASE("what this process may not lower is refused by the plan") {
    Peer peer([] {
        if (geteuid() == 0) {
            become_ordinary_user();
        }
        const rlimit none{};
        expect(setrlimit(RLIMIT_NICE, &none) == 0);
        expect(setpriority(PRIO_PROCESS, 0, 5) == 0);
        expect(contains(refusal_of({.nice = 4}), "limits.nice: cannot be lower than 5 here"));
        expect(!contains(refusal_of({.nice = 5}), "limits.nice"));
        expect(!contains(refusal_of({.nice = 6}), "limits.nice"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("in a user namespace a privilege to lower it does not count") {
    if (geteuid() != 0) {
        SKIP_TEST("only root has the privilege");
    }
    CHECK(!contains(refusal_of({.nice = -1}), "limits.nice"));
    CHECK(contains(refusal_of({.nice = -20}, {.user = 1234}), ", in a user namespace"));
}

TEST_CASE("values that make no sense are refused") {
    CHECK(contains(refusal_of({.nice = 20}), "limits.nice: is no number from -20 to 19"));
    CHECK(contains(refusal_of({.allowed_cpus = {-1}}), "limits.allowed_cpus: has -1"));
    CHECK(contains(refusal_of({.allowed_cpus = {first_own_cpu(), 5000}}),
                   "limits.allowed_cpus: has 5000, which is no CPU of this process"));
    const std::string text = refusal_of({.memory_high = 0, .cpu_weight = 0, .io_weight = 10'001});
    CHECK(contains(text, "limits.memory_high: is 0"));
    CHECK(contains(text, "limits.cpu_weight: is no number from 1 to 10000"));
    CHECK(contains(text, "limits.io_weight: is no number from 1 to 10000"));
}

TEST_CASE(
    "a limit above the hard one of this process is refused at once, unless it may raise that") {
    Peer peer([] {
        become_ordinary_user();
        const rlimit low{100, 100};
        expect(setrlimit(RLIMIT_NOFILE, &low) == 0);
        const std::string refusal = refusal_of({.open_files = 101});
        expect(contains(refusal, "limits.open_files: cannot be more than 100 here"));
        expect(!contains(refusal_of({.open_files = 100}), "limits.open_files"));
    });
    CHECK(peer.ending() == reached_the_end);
}
