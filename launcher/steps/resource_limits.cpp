#include <syncspawn/launcher/steps/resource_limits.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "child/resource_limits.hpp"

namespace syncspawn::steps {
namespace {

void require(bool is_met, const std::string& rule) {
    if (!is_met) {
        throw std::invalid_argument("syncspawn: resource limits: " + rule);
    }
}

void check(const std::vector<ResourceLimit>& limits) {
    for (const ResourceLimit& limit : limits) {
        const char* const known = name_of_resource(limit.resource);
        require(known != nullptr, "there is no resource " + std::to_string(limit.resource));
        const std::string name = known;
        require(limit.soft || limit.hard, name + " is named without a limit");
        require(!limit.soft || !limit.hard || *limit.soft <= *limit.hard,
                "the soft limit of " + name + " is above its hard one");
        require(std::count_if(limits.begin(), limits.end(),
                              [&](const ResourceLimit& other) {
                                  return other.resource == limit.resource;
                              }) == 1,
                name + " is limited twice");
    }
}

}  // namespace

Step resource_limits(std::vector<ResourceLimit> limits) {
    check(limits);
    const bool has_open_files =
        std::any_of(limits.begin(), limits.end(),
                    [](const ResourceLimit& limit) { return limit.resource == RLIMIT_NOFILE; });
    Step step{.name = "resource limits"};
    if (has_open_files) {
        step.last =
            shared_memory([limits](ChildSide& side) { return settle_open_files(side, limits); });
    }
    step.child = shared_memory(
        [limits = std::move(limits)](ChildSide& side) { return set_limits(side, limits); });
    return step;
}

}  // namespace syncspawn::steps
