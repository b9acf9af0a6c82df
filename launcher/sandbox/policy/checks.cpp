#include "checks.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

namespace syncspawn::sandbox {
namespace {

using namespace std::chrono_literals;

class Checks {
public:
    explicit Checks(std::vector<Problem>& problems) : problems_(problems) {}

    void require(bool holds, const char* where, const char* what, const char* remedy) {
        if (!holds) {
            problems_.push_back({where, what, remedy});
        }
    }

    void check_limits(const Limits& limits) {
        require(limits.memory != 0U, "limits.memory", "is 0", "name the bytes that it may have");
        require(limits.processes != 0U, "limits.processes", "is 0",
                "it takes one at least, which is the program itself");
        require(!limits.cpus || (std::isfinite(*limits.cpus) && *limits.cpus > 0), "limits.cpus",
                "is no positive number", "1.5 is one CPU and a half");
        const auto is_weight = [](const std::optional<std::uint64_t>& weight) {
            constexpr std::uint64_t most = 10'000;  // of the kernel
            return !weight || (*weight >= 1 && *weight <= most);
        };
        require(limits.memory_high != 0U, "limits.memory_high", "is 0",
                "name the bytes that it may have");
        require(is_weight(limits.cpu_weight), "limits.cpu_weight", "is no number from 1 to 10000",
                "100 is usual");
        require(is_weight(limits.io_weight), "limits.io_weight", "is no number from 1 to 10000",
                "100 is usual");
        require(!limits.cpu_time || *limits.cpu_time >= 1s, "limits.cpu_time",
                "is less than a second", "name a second at least");
        require(!limits.wall_clock || *limits.wall_clock > 0ns, "limits.wall_clock",
                "is no positive time", "name how long it may run");
    }

    void check_ids(const Privileges& privileges) {
        const auto is_one = [](const std::optional<std::uint32_t>& id) {
            return id != static_cast<std::uint32_t>(-1);
        };
        require(is_one(privileges.user), "privileges.user", "is -1", "-1 is no user");
        require(is_one(privileges.group), "privileges.group", "is -1", "-1 is no group");
        require(is_one(privileges.host_user), "privileges.host_user", "is -1", "-1 is no user");
        require(is_one(privileges.host_group), "privileges.host_group", "is -1", "-1 is no group");
    }

    void check_host_name(const std::string& name) {
        constexpr std::size_t longest = 64;  // sethostname(2)
        require(name.size() <= longest, "host_name", "has more than 64 bytes",
                "choose a shorter one");
        require(name.find('\0') == std::string::npos, "host_name", "has a NUL in it",
                "choose another one");
    }

    void check_doors(const std::vector<Door>& doors) {
        for (auto door = doors.begin(); door != doors.end(); ++door) {
            require(!door->name.empty(), "doors", "one has no name", "name it");
            const bool is_named_before = std::any_of(
                doors.begin(), door, [&](const Door& other) { return other.name == door->name; });
            require(!is_named_before, "doors", "two have the same name", "name them apart");
        }
    }

private:
    std::vector<Problem>& problems_;
};

}  // namespace

void check_values(const Policy& policy, std::vector<Problem>& problems) {
    Checks checks(problems);
    checks.check_doors(policy.doors);
    checks.check_limits(policy.limits);
    checks.check_ids(policy.privileges);
    checks.check_host_name(policy.host_name);
}

}  // namespace syncspawn::sandbox
