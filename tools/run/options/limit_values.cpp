#include "limit_values.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "tools/command_line/command_line.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

enum class In { numbers, bytes };

struct KnownLimit {
    std::string_view name;
    int resource;
    In in;
};
constexpr KnownLimit known_limits[] = {
    {"as", RLIMIT_AS, In::bytes},
    {"core", RLIMIT_CORE, In::bytes},
    {"cpu", RLIMIT_CPU, In::numbers},
    {"data", RLIMIT_DATA, In::bytes},
    {"fsize", RLIMIT_FSIZE, In::bytes},
    {"locks", RLIMIT_LOCKS, In::numbers},
    {"memlock", RLIMIT_MEMLOCK, In::bytes},
    {"msgqueue", RLIMIT_MSGQUEUE, In::bytes},
    {"nice", RLIMIT_NICE, In::numbers},
    {"nofile", RLIMIT_NOFILE, In::numbers},
    {"nproc", RLIMIT_NPROC, In::numbers},
    {"rss", RLIMIT_RSS, In::bytes},
    {"rtprio", RLIMIT_RTPRIO, In::numbers},
    {"rttime", RLIMIT_RTTIME, In::numbers},
    {"sigpending", RLIMIT_SIGPENDING, In::numbers},
    {"stack", RLIMIT_STACK, In::bytes},
};

const KnownLimit& limit_named(const std::string& name) {
    std::vector<std::string_view> names;
    for (const KnownLimit& known : known_limits) {
        if (known.name == name) {
            return known;
        }
        names.push_back(known.name);
    }
    const std::string meant(nearest_to(name, names));
    throw UsageError("there is no limit '" + name + "'", meant.empty()
                                                             ? "there are " + listed(names)
                                                             : "did you mean '" + meant + "'?");
}

rlim_t parse_amount(const std::string& text, In in) {
    if (text == "unlimited" || text == "infinity") {
        return RLIM_INFINITY;
    }
    return in == In::bytes ? parse_size(text)
                           : static_cast<rlim_t>(parse_whole_number(text, 0, INT64_MAX));
}

// "3" or "0-3".
void add_range(std::vector<int>& cpus, const std::string& range) {
    constexpr int most = 65535;
    const std::size_t dash = range.find('-', 1);
    const auto first = static_cast<int>(parse_whole_number(range.substr(0, dash), 0, most));
    const auto last = dash == std::string::npos
                          ? first
                          : static_cast<int>(parse_whole_number(range.substr(dash + 1), 0, most));
    if (last < first) {
        throw std::invalid_argument("'" + range + "' ends before it begins");
    }
    for (int cpu = first; cpu <= last; ++cpu) {
        cpus.push_back(cpu);
    }
}

}  // namespace

steps::ResourceLimit parse_limit(const std::string& text) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos) {
        throw UsageError("'" + text + "' has no value", "say nofile=256, or nofile=256:1024");
    }
    const KnownLimit& known = limit_named(text.substr(0, sign));
    const std::string amounts = text.substr(sign + 1);
    const std::size_t colon = amounts.find(':');
    const std::string soft = amounts.substr(0, colon);
    const std::string hard = colon == std::string::npos ? soft : amounts.substr(colon + 1);
    steps::ResourceLimit limit{.resource = known.resource};
    if (!soft.empty()) {
        limit.soft = parse_amount(soft, known.in);
    }
    if (!hard.empty()) {
        limit.hard = parse_amount(hard, known.in);
    }
    if (!limit.soft && !limit.hard) {
        throw UsageError("'" + text + "' has no value", "say nofile=256, or nofile=256:1024");
    }
    if (limit.soft && limit.hard && *limit.soft > *limit.hard) {
        throw std::invalid_argument("in '" + text + "' the soft limit is above the hard one");
    }
    return limit;
}

std::vector<int> parse_cpu_list(const std::string& text) {
    std::vector<int> cpus;
    std::string_view rest = text;
    while (true) {
        const std::size_t comma = rest.find(',');
        add_range(cpus, std::string(rest.substr(0, comma)));
        if (comma == std::string_view::npos) {
            return cpus;
        }
        rest.remove_prefix(comma + 1);
    }
}

int parse_scheduling(const std::string& text) {
    if (text == "usual") {
        return SCHED_OTHER;
    }
    if (text == "batch") {
        return SCHED_BATCH;
    }
    if (text == "idle") {
        return SCHED_IDLE;
    }
    throw UsageError("'" + text + "' is no kind", "there are usual, batch and idle");
}

}  // namespace syncspawn::tools
