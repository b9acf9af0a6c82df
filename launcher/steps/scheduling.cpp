#include <syncspawn/launcher/steps/scheduling.hpp>

#include <sched.h>

#include <climits>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "child/scheduling.hpp"

namespace syncspawn::steps {
namespace {

constexpr int most_cpus = 1 << 16;  // the kernel's own limit is 8192, now

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("syncspawn: " + rule);
    }
}

bool is_possible(int policy, int priority) {
    switch (policy & ~SCHED_RESET_ON_FORK) {
        case SCHED_OTHER:
        case SCHED_BATCH:
        case SCHED_IDLE:
            return priority == 0;
        case SCHED_FIFO:
        case SCHED_RR:
            return 1 <= priority && priority <= 99;
        default:
            return false;
    }
}

}  // namespace

Step nice(int value) {
    require(-20 <= value && value <= 19, "there is no nice value " + std::to_string(value));
    return {.name = "nice value",
            .child = shared_memory([value](ChildSide& side) { return set_nice(side, value); })};
}

Step scheduling_policy(int policy, int priority) {
    require(is_possible(policy, priority), "there is no scheduling policy " +
                                               std::to_string(policy) + " with priority " +
                                               std::to_string(priority));
    return {.name = "scheduling policy",
            .child = shared_memory([policy, priority](ChildSide& side) {
                return set_policy(side, policy, priority);
            })};
}

Step cpu_affinity(const std::vector<int>& cpus) {
    constexpr std::size_t bits = sizeof(unsigned long) * CHAR_BIT;
    require(!cpus.empty(), "a program must have a CPU to run on");
    std::vector<unsigned long> mask;
    for (const int cpu : cpus) {
        require(0 <= cpu && cpu < most_cpus, "there is no CPU " + std::to_string(cpu));
        const auto number = static_cast<std::size_t>(cpu);
        if (mask.size() <= number / bits) {
            mask.resize(number / bits + 1);
        }
        mask[number / bits] |= 1UL << number % bits;
    }
    return {.name = "CPU affinity",
            .child = shared_memory(
                [mask = std::move(mask)](ChildSide& side) { return set_affinity(side, mask); })};
}

}  // namespace syncspawn::steps
