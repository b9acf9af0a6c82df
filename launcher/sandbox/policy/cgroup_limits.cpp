#include "cgroup_limits.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

#include "launcher/sandbox/limits/cgroup_files.hpp"

namespace syncspawn::sandbox {
namespace {

// It was checked.
std::optional<unsigned> weight_of(const std::optional<std::uint64_t>& weight) {
    return weight ? std::optional(static_cast<unsigned>(*weight)) : std::nullopt;
}

// Memory is counted in whole pages. So many that no number is left for them are no limit.
std::string as_the_kernel_has_it(const CgroupSetting& setting) {
    if (setting.controller != "memory" || setting.limit == "out_of_memory") {
        return setting.text;
    }
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const std::uint64_t most = std::numeric_limits<long>::max() / page;
    const std::uint64_t pages = std::stoull(setting.text) / page;
    return pages >= most ? "max" : std::to_string(pages * page);
}

}  // namespace

CgroupLimits cgroup_limits_of(const Policy& policy, const Decisions& decisions) {
    const Limits& wanted = policy.limits;
    CgroupLimits limits{.memory = wanted.memory,
                        .memory_high = wanted.memory_high,
                        .swap = wanted.swap,
                        .processes = wanted.processes,
                        .cpus = wanted.cpus,
                        .cpu_weight = weight_of(wanted.cpu_weight),
                        .io_weight = weight_of(wanted.io_weight)};
    if (limits.processes && decisions.has_pid_namespace && policy.processes.reaper) {
        ++*limits.processes;  // the reaper is none of the program's
    }
    return limits;
}

void look_at_settings(Evidence& evidence, int directory,
                      const std::vector<CgroupSetting>& settings) {
    for (const CgroupSetting& setting : settings) {
        const auto text = read_cgroup_file(directory, setting.file);
        if (!text) {
            const int error = errno;
            if (error != ENOENT || !setting.is_implied) {
                evidence.note(Reading::unread,
                              setting.file + ": " + std::generic_category().message(error));
            }
            continue;
        }
        const std::string found = text->substr(0, text->find('\n'));
        const std::string wanted = as_the_kernel_has_it(setting);
        evidence.note_if(found == wanted, setting.file + "=" + found +
                                              (found == wanted ? "" : " and not " + wanted));
    }
}

}  // namespace syncspawn::sandbox
