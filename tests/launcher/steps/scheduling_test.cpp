#include <doctest/doctest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/steps.hpp"

// steps::nice(), scheduling_policy() and cpu_affinity().

using namespace syncspawn;
using namespace syncspawn::testing;
namespace steps = syncspawn::steps;

namespace {

SpawnOptions endless(StartMethod method = StartMethod::automatic) {
    return {.program = "sleep", .arguments = {"1000"}, .birth = {.method = method}};
}

// 0: those of this process.
std::vector<int> cpus_of(pid_t pid) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CHECK(sched_getaffinity(pid, sizeof set, &set) == 0);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) {
            cpus.push_back(cpu);
        }
    }
    return cpus;
}

std::string refusal_of(Step (*make)()) {
    return thrown_by<std::invalid_argument>([=] { (void)make(); });
}

}  // namespace

TEST_CASE("the program has the nice value, and the parent keeps its own") {
    const int before = getpriority(PRIO_PROCESS, 0);
    for (const StartMethod method : start_methods()) {
        const Process process = with_step(endless(method), steps::nice(17)).spawn();
        CHECK(getpriority(PRIO_PROCESS, static_cast<id_t>(process.pid())) == 17);
    }
    CHECK(getpriority(PRIO_PROCESS, 0) == before);
}

TEST_CASE("a lower nice value takes a privilege, and the error says which") {
    Peer peer([] {
        const rlimit none{0, 0};
        expect(setrlimit(RLIMIT_NICE, &none) == 0);
        become_unprivileged();
        expect_same(
            error_with(endless(), steps::nice(-5)).c_str(),
            "nice value in the child: setpriority: a lower nice value takes CAP_SYS_NICE or "
            "RLIMIT_NICE: permission denied");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the program has the scheduling policy, and the parent keeps its own") {
    const int before = sched_getscheduler(0);
    for (const StartMethod method : start_methods()) {
        for (const int policy : {SCHED_BATCH, SCHED_IDLE, SCHED_OTHER}) {
            CAPTURE(policy);
            const Process process =
                with_step(endless(method), steps::scheduling_policy(policy)).spawn();
            CHECK(sched_getscheduler(process.pid()) == policy);
        }
    }
    CHECK(sched_getscheduler(0) == before);
}

TEST_CASE("what the program starts need not inherit its policy") {
    const Process process =
        with_step(endless(), steps::scheduling_policy(SCHED_BATCH | SCHED_RESET_ON_FORK)).spawn();
    CHECK(sched_getscheduler(process.pid()) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
}

TEST_CASE("a real-time policy has its priority") {
    const sched_param one{.sched_priority = 1};
    Peer trial([&] {
        if (sched_setscheduler(0, SCHED_FIFO, &one) < 0) {
            leave_out_here("this user has no real-time policy here");
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(trial);
    for (const StartMethod method : start_methods()) {
        const Process process =
            with_step(endless(method), steps::scheduling_policy(SCHED_RR, 7)).spawn();
        sched_param parameter{};
        CHECK(sched_getscheduler(process.pid()) == SCHED_RR);
        CHECK(sched_getparam(process.pid(), &parameter) == 0);
        CHECK(parameter.sched_priority == 7);
    }
}

TEST_CASE("a real-time policy takes a privilege, and the error says which") {
    Peer peer([] {
        const rlimit none{0, 0};
        expect(setrlimit(RLIMIT_RTPRIO, &none) == 0);
        become_unprivileged();
        expect_same(error_with(endless(), steps::scheduling_policy(SCHED_FIFO, 1)).c_str(),
                    "scheduling policy in the child: sched_setscheduler: this policy takes "
                    "CAP_SYS_NICE, RLIMIT_RTPRIO or RLIMIT_NICE: operation not permitted");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the program runs on its CPUs alone, and the parent where it did") {
    const std::vector<int> before = cpus_of(0);
    const int last = before.back();
    for (const StartMethod method : start_methods()) {
        const Process process = with_step(endless(method), steps::cpu_affinity({last})).spawn();
        CHECK(cpus_of(process.pid()) == std::vector{last});
    }
    CHECK(cpus_of(0) == before);
}

TEST_CASE("CPUs that are not there are left out, and if none is left, the error says so") {
    const int last = cpus_of(0).back();
    const Process process = with_step(endless(), steps::cpu_affinity({last, 60000})).spawn();
    CHECK(cpus_of(process.pid()) == std::vector{last});
    CHECK(error_with(endless(), steps::cpu_affinity({60000})) ==
          "CPU affinity in the child: sched_setaffinity: none of the CPUs is there, or the cpuset "
          "forbids them: invalid argument");
}

TEST_CASE("what no kernel has is refused") {
    CHECK(refusal_of([] { return steps::nice(20); }) == "syncspawn: there is no nice value 20");
    CHECK(refusal_of([] { return steps::nice(-21); }) == "syncspawn: there is no nice value -21");
    CHECK(refusal_of([] { return steps::scheduling_policy(SCHED_FIFO); }) ==
          "syncspawn: there is no scheduling policy 1 with priority 0");
    CHECK(refusal_of([] { return steps::scheduling_policy(SCHED_BATCH, 1); }) ==
          "syncspawn: there is no scheduling policy 3 with priority 1");
    CHECK(refusal_of([] { return steps::scheduling_policy(99); }) ==
          "syncspawn: there is no scheduling policy 99 with priority 0");
    CHECK(refusal_of([] { return steps::cpu_affinity({}); }) ==
          "syncspawn: a program must have a CPU to run on");
    CHECK(refusal_of([] {
              return steps::cpu_affinity({0, -1});
          }) == "syncspawn: there is no CPU -1");
}
