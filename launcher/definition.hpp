#pragma once

#include <memory>
#include <vector>

#include <syncspawn/launcher/synced_spawner.hpp>

#include "plan.hpp"
#include "schedule.hpp"

namespace syncspawn {

// All that a launch must know of its spawner. Immutable once made, so any number of launches may read it at once.
struct SyncedSpawner::Definition {
    Definition(std::shared_ptr<const SpawnOptions> wanted, std::vector<detail::Entry> added);

    // What the options ask for and the parts allow.
    [[nodiscard]] StartMethod start_method() const noexcept;

    std::shared_ptr<const SpawnOptions> shared_options;
    const SpawnOptions& options = *shared_options;
    std::vector<detail::Entry> entries;
    detail::Schedule schedule;
    detail::PlanStorage plan;
};

}  // namespace syncspawn
