#include "limit_checks.hpp"

#include <sched.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

namespace syncspawn::sandbox {
namespace {

constexpr int least_nice = -20;
constexpr int most_nice = 19;

bool has_capability(cap_value_t capability) {
    const std::unique_ptr<void, decltype(&cap_free)> own(cap_get_proc(), &cap_free);
    cap_flag_value_t value = CAP_CLEAR;
    return own != nullptr &&
           cap_get_flag(static_cast<cap_t>(own.get()), capability, CAP_EFFECTIVE, &value) == 0 &&
           value == CAP_SET;
}

// The lowest without a privilege: this process's own, or what RLIMIT_NICE allows (getrlimit(2)).
int lowest_nice() {
    rlimit limit{};
    const bool is_known = getrlimit(RLIMIT_NICE, &limit) == 0;
    constexpr rlim_t of_least = 40;
    const rlim_t ceiling = is_known ? std::min(limit.rlim_cur, of_least) : 0;
    return std::min(getpriority(PRIO_PROCESS, 0), 20 - static_cast<int>(ceiling));
}

void check_nice(int wanted, bool has_user_namespace, std::vector<Problem>& problems) {
    if (wanted < least_nice || wanted > most_nice) {
        problems.push_back({"limits.nice", "is no number from -20 to 19", "0 is usual"});
        return;
    }
    const int lowest = lowest_nice();
    if (wanted >= lowest || (!has_user_namespace && has_capability(CAP_SYS_NICE))) {
        return;
    }
    problems.push_back(
        {.where = "limits.nice",
         .what = "cannot be lower than " + std::to_string(lowest) + " here" +
                 (has_user_namespace ? ", in a user namespace" : ""),
         .remedy = "raise RLIMIT_NICE, or launch with CAP_SYS_NICE and without a user namespace",
         .code = {EACCES, std::system_category()}});
}

// A mask for more CPUs than any kernel has.
class AllowedCpus {
public:
    AllowedCpus() : is_known_(sched_getaffinity(0, sizeof mask_, mask_) == 0) {}
    [[nodiscard]] bool contains(int cpu) const {
        return !is_known_ ||
               (cpu < most && CPU_ISSET_S(static_cast<std::size_t>(cpu), sizeof mask_, mask_));
    }

private:
    static constexpr int most = CPU_SETSIZE * 8;
    cpu_set_t mask_[8]{};
    bool is_known_;
};

void check_cpus(const std::vector<int>& wanted, std::vector<Problem>& problems) {
    const AllowedCpus allowed;
    for (const int cpu : wanted) {
        if (cpu < 0 || !allowed.contains(cpu)) {
            problems.push_back({"limits.allowed_cpus",
                                "has " + std::to_string(cpu) + ", which is no CPU of this process",
                                "name some of those that it may run on: taskset -p"});
        }
    }
}

// A hard limit that is raised.
void check_resources(const Limits& limits, const Decisions& decisions,
                     std::vector<Problem>& problems) {
    const bool may_raise = !decisions.has_user_namespace && has_capability(CAP_SYS_RESOURCE);
    const auto check = [&](const char* where, auto resource, const auto& wanted) {
        rlimit limit{};
        if (may_raise || !wanted || getrlimit(resource, &limit) < 0 || *wanted <= limit.rlim_max) {
            return;
        }
        problems.push_back({.where = std::string("limits.") + where,
                            .what = "cannot be more than " + std::to_string(limit.rlim_max) +
                                    " here, which is this process's own hard limit",
                            .remedy = "leave it out, or raise that one: ulimit -H",
                            .code = {EPERM, std::system_category()}});
    };
    check("open_files", RLIMIT_NOFILE, limits.open_files);
    check("file_size", RLIMIT_FSIZE, limits.file_size);
    check("core_size", RLIMIT_CORE, limits.core_size);
    if (limits.cpu_time) {
        check("cpu_time", RLIMIT_CPU, std::optional(static_cast<rlim_t>(limits.cpu_time->count())));
    }
    if (decisions.limits_each_process) {
        check("memory", RLIMIT_AS, limits.memory);
        check("processes", RLIMIT_NPROC, limits.processes);
    }
}

}  // namespace

void check_limits(const Limits& limits, const Decisions& decisions,
                  std::vector<Problem>& problems) {
    if (limits.nice) {
        check_nice(*limits.nice, decisions.has_user_namespace, problems);
    }
    check_cpus(limits.allowed_cpus, problems);
    check_resources(limits, decisions, problems);
}

}  // namespace syncspawn::sandbox
