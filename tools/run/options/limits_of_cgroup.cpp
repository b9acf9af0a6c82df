#include "limits_of_cgroup.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

#include "policy_words.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::CgroupLimits;

unsigned parse_weight(const std::string& text) {
    constexpr std::int64_t most = 10000;
    return static_cast<unsigned>(parse_whole_number(text, 1, most));
}

struct Limit {
    std::string_view name;
    void (*set)(CgroupLimits&, const std::string&);
};
constexpr Limit known_limits[]{
    {"memory", [](CgroupLimits& to, const std::string& text) { to.memory = parse_size(text); }},
    {"memory-high",
     [](CgroupLimits& to, const std::string& text) { to.memory_high = parse_size(text); }},
    {"swap", [](CgroupLimits& to, const std::string& text) { to.swap = parse_size(text); }},
    {"processes",
     [](CgroupLimits& to, const std::string& text) {
         to.processes = static_cast<std::uint64_t>(
             parse_whole_number(text, 1, std::numeric_limits<int>::max()));
     }},
    {"cpus", [](CgroupLimits& to, const std::string& text) { to.cpus = parse_cpu_count(text); }},
    {"cpu-weight",
     [](CgroupLimits& to, const std::string& text) { to.cpu_weight = parse_weight(text); }},
    {"io-weight",
     [](CgroupLimits& to, const std::string& text) { to.io_weight = parse_weight(text); }},
};

void set(CgroupLimits& limits, const std::string& name, const std::string& value) {
    std::vector<std::string_view> names;
    for (const Limit& limit : known_limits) {
        if (limit.name == name) {
            return limit.set(limits, value);
        }
        names.push_back(limit.name);
    }
    throw UsageError("there is no limit '" + name + "'", "there are " + listed(names));
}

}  // namespace

CgroupLimits limits_of_cgroup(const std::string& text) {
    CgroupLimits limits;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        const std::size_t sign = part.find('=');
        set(limits, part.substr(0, sign), sign == std::string::npos ? "" : part.substr(sign + 1));
        begin = end + 1;
    }
    return limits;
}

}  // namespace syncspawn::tools
