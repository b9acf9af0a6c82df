#include "id_map_step.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "barrier/linux/proc.hpp"
#include "own_proc.hpp"

namespace syncspawn::steps {
namespace {

constexpr std::size_t most_ranges = 340;  // Linux 4.15; five before

using Member = std::uint32_t IdRange::*;

bool overlap(std::vector<IdRange> ranges, Member begin) {
    const auto is_before = [begin](const IdRange& left, const IdRange& right) {
        return left.*begin < right.*begin;
    };
    std::sort(ranges.begin(), ranges.end(), is_before);
    return std::adjacent_find(ranges.begin(), ranges.end(),
                              [begin](const IdRange& left, const IdRange& right) {
                                  return right.*begin - left.*begin < left.count;
                              }) != ranges.end();
}

bool ends_beyond_the_last_id(const IdRange& range) {
    // The highest number is no id: it means "unchanged" to setuid(2) and its kin.
    constexpr auto no_id = std::numeric_limits<std::uint32_t>::max();
    return range.count > no_id - std::max(range.inside, range.outside);
}

void require_sound(const std::vector<IdRange>& ranges, const char* of_what) {
    const auto refuse = [of_what](const char* why) {
        throw std::invalid_argument(std::string("id map of ") + of_what + ": " + why);
    };
    if (ranges.size() > most_ranges) {
        refuse("more than 340 ranges");
    }
    for (const IdRange& range : ranges) {
        if (range.count == 0) {
            refuse("a range of no ids");
        }
        if (ends_beyond_the_last_id(range)) {
            refuse("a range beyond the last id");
        }
    }
    if (overlap(ranges, &IdRange::inside) || overlap(ranges, &IdRange::outside)) {
        refuse("two ranges overlap");
    }
}

}  // namespace

void require_sound(const IdMaps& maps) {
    if (maps.users.empty() && maps.groups.empty()) {
        throw std::invalid_argument("id maps: there is nothing to map");
    }
    require_sound(maps.users, "users");
    require_sound(maps.groups, "groups");
}

// By the parent, though a child can write a map of one id for itself, without a rendezvous. But that takes no
// less time: the parent makes the same calls, and while the child gets ready. The child would have to give up
// setgroups(2) in any case. And where AppArmor restricts user namespaces, it lacks the capability.
Step before_what_follows(ParentPart write) {
    return {.name = "id maps",
            .parent =
                [write = std::move(write)](ParentSide& side) {
                    const std::error_code error = require_own_proc(side);
                    return error ? error : write(side);
                },
            .order = StepOrder::parent_first};
}

bool is_written(pid_t child, const char* file) noexcept {
    return detail::proc::number_in("/proc/", child, file).has_value();
}

}  // namespace syncspawn::steps
