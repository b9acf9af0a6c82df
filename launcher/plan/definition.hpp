#pragma once

#include <memory>
#include <vector>

#include <syncspawn/launcher/spawn_options.hpp>

#include "plan_storage.hpp"
#include "schedule.hpp"

namespace syncspawn::detail {

// All that a launch must know of its spawner. Immutable once made, so any number of launches may read it
// at once.
struct Definition {
    Definition(std::shared_ptr<const SpawnOptions> wanted, std::vector<Entry> added);

    [[nodiscard]] bool child_parts_may_share_memory() const noexcept;
    // Nothing but the last rendezvous, and nobody is asked to look whether it takes too long.
    [[nodiscard]] bool leaves_the_parent_nothing_to_do() const noexcept;
    // What the options ask for and the parts allow.
    [[nodiscard]] StartMethod start_method() const noexcept;

    std::shared_ptr<const SpawnOptions> shared_options;
    const SpawnOptions& options = *shared_options;
    std::vector<Entry> entries;
    Schedule schedule;
    PlanStorage plan;
};

}  // namespace syncspawn::detail
