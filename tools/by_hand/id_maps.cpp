#include "id_maps.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/sandbox/privileges.hpp>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

using Ranges = std::vector<steps::IdRange>;
using Id = std::uint32_t;

constexpr Id root = 0;

// The id that `outside` has in there.
std::optional<Id> inside_of(const Ranges& ranges, Id outside) {
    for (const steps::IdRange& range : ranges) {
        if (outside >= range.outside && outside - range.outside < range.count) {
            return range.inside + (outside - range.outside);
        }
    }
    return std::nullopt;
}

bool is_inside(const Ranges& ranges, Id inside) {
    return std::any_of(ranges.begin(), ranges.end(), [inside](const steps::IdRange& range) {
        return inside >= range.inside && inside - range.inside < range.count;
    });
}

// Whoever the caller is in there; else root, or the first that there is.
Id identity_in(const Ranges& ranges, Id caller, std::optional<Id> wish, const char* option) {
    if (wish) {
        if (!is_inside(ranges, *wish)) {
            throw UsageError(std::string(option) + " " + std::to_string(*wish) +
                                 ": the map has no such id inside",
                             "name one that is in it");
        }
        return *wish;
    }
    if (const std::optional<Id> mapped = inside_of(ranges, caller)) {
        return *mapped;
    }
    return is_inside(ranges, root) ? root : ranges.front().inside;
}

bool is_callers_alone(const Ranges& ranges, Id caller) {
    return ranges.size() == 1 && ranges.front().count == 1 && ranges.front().outside == caller;
}

// What was said about one kind of id, completed.
Ranges completed(Ranges ranges, bool is_root, std::optional<Id> wish, Id caller) {
    if (is_root) {
        ranges.insert(ranges.begin(), {.inside = root, .outside = caller});
    } else if (ranges.empty()) {
        ranges.push_back({.inside = wish.value_or(caller), .outside = caller});
    }
    return ranges;
}

Step become(std::optional<Id> user, std::optional<Id> group, bool may_have_groups) {
    steps::Identity identity{.user = user, .group = group, .groups = std::nullopt};
    if (may_have_groups) {
        identity.groups.emplace();
    }
    return steps::become(std::move(identity));
}

struct Ids {
    Id user = 0;
    Id group = 0;

    friend bool operator==(const Ids&, const Ids&) = default;
};

// Who lays everything out: the caller, if it has an id in there, else root, who keeps its capabilities, else whoever
// the program will be.
Ids ids_of_setup(const steps::IdMaps& maps, const std::optional<Ids>& present, const Ids& final) {
    const bool has_root = is_inside(maps.users, root) && is_inside(maps.groups, root);
    return present.value_or(has_root ? Ids{.user = root, .group = root} : final);
}

std::optional<Ids> present_ids(const steps::IdMaps& maps) {
    const std::optional<Id> user = inside_of(maps.users, geteuid());
    const std::optional<Id> group = inside_of(maps.groups, getegid());
    return user && group ? std::optional(Ids{.user = *user, .group = *group}) : std::nullopt;
}

void add_ranges(IdSteps& into, const Surroundings& wanted) {
    const Id user = geteuid();
    const Id group = getegid();
    const steps::IdMaps maps{
        .users = completed(wanted.maps.users, wanted.maps.is_root, wanted.user, user),
        .groups = completed(wanted.maps.groups, wanted.maps.is_root, wanted.group, group)};
    const bool is_own_group = is_callers_alone(maps.groups, group);
    const bool may_write = has_sys_admin() || (is_own_group && is_callers_alone(maps.users, user));
    into.first.push_back(may_write ? steps::map_ids(maps) : steps::map_subordinate_ids(maps));
    const Ids final{.user = identity_in(maps.users, user, wanted.user, "--uid"),
                    .group = identity_in(maps.groups, group, wanted.group, "--gid")};
    const std::optional<Ids> present = present_ids(maps);
    const Ids setup = ids_of_setup(maps, present, final);
    if (setup != present) {
        into.first.push_back(sandbox::secure_bits(sandbox::SecureBits::keep_capabilities));
        into.first.push_back(become(setup.user, setup.group, !is_own_group));
    }
    if (final != setup) {
        into.last.push_back(become(final.user, final.group, !is_own_group));
    }
}

Id own_id(std::optional<Id> wish, bool is_root, Id caller, const char* option) {
    if (is_root && wish.value_or(root) != root) {
        throw UsageError(std::string(option) + " " + std::to_string(*wish) +
                             ": --map-root makes the program user and group 0",
                         "leave one of the two out");
    }
    return wish.value_or(is_root ? root : caller);
}

void add_own_map(IdSteps& into, const Surroundings& wanted) {
    const bool is_root = wanted.maps.is_root;
    into.first.push_back(
        sandbox::map_own_id({.user = own_id(wanted.user, is_root, geteuid(), "--uid"),
                             .group = own_id(wanted.group, is_root, getegid(), "--gid")}));
}

// Root in there is the caller.
void add_automatic_map(IdSteps& into, const Surroundings& wanted) {
    into.first.push_back(steps::map_subordinate_ids());
    if (wanted.user || wanted.group) {
        into.last.push_back(become(wanted.user, wanted.group, true));
    }
}

void check(const IdMapWish& wish) {
    if (wish.is_automatic && (wish.is_root || !wish.users.empty() || !wish.groups.empty())) {
        throw UsageError("--map-auto maps all ids, root among them",
                         "leave --map-root, --map-uid and --map-gid out, or --map-auto");
    }
}

}  // namespace

IdSteps id_steps(const Surroundings& surroundings, const NamespacePlan& plan) {
    const IdMapWish& wish = surroundings.maps;
    check(wish);
    IdSteps steps;
    if (!plan.makes(Namespaces::user) || wish.is_written_by_others) {
        if (surroundings.user || surroundings.group) {
            steps.last.push_back(become(surroundings.user, surroundings.group, false));
        }
    } else if (wish.is_automatic) {
        add_automatic_map(steps, surroundings);
    } else if (wish.is_root && !surroundings.is_sandboxing()) {
        steps.first.push_back(steps::map_root());
    } else if (!wish.users.empty() || !wish.groups.empty()) {
        try {
            add_ranges(steps, surroundings);
        } catch (const std::invalid_argument& error) {
            throw UsageError(std::string("--map-uid, --map-gid: ") + error.what());
        }
    } else {
        add_own_map(steps, surroundings);
    }
    return steps;
}

}  // namespace syncspawn::tools
