#pragma once

#include <errno.h>
#include <sched.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

// What the measuring programs ask of the machine: CPUs of their own, and no mistake passed over.

namespace syncspawn::bench {

// What was not done is not measured.
inline void expect(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
        std::exit(2);
    }
}

inline std::vector<std::size_t> allowed_cpus() {
    cpu_set_t set;
    expect(sched_getaffinity(0, sizeof set, &set) == 0, "sched_getaffinity failed");
    std::vector<std::size_t> cpus;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) {
            cpus.push_back(cpu);
        }
    }
    return cpus;
}

inline cpu_set_t set_of(const std::vector<std::size_t>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const std::size_t cpu : cpus) {
        CPU_SET(cpu, &set);
    }
    return set;
}

inline bool pin_to(std::size_t cpu) {
    const cpu_set_t set = set_of({cpu});
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

// Else a block is as fast as the other programs on its CPU let it be. What this process starts
// inherits it: ours, the peers and the launched programs alike. Not SCHED_FIFO: on one CPU a thread of
// Go's run time may spin for ever there, waiting for one that it keeps from running.
inline bool go_before_all_others() {
    const sched_param lowest{.sched_priority = 1};
    return sched_setscheduler(0, SCHED_RR, &lowest) == 0;
}

}  // namespace syncspawn::bench
