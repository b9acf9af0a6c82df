#pragma once

#include <syncspawn/launcher/synced_spawner.hpp>

#include "plan.hpp"
#include "schedule.hpp"

namespace syncspawn {

// All that a spawner knows. Immutable once made, so any number of launches may read it at once.
struct SyncedSpawner::Definition {
    Definition(SpawnOptions wanted, std::vector<detail::Entry> added);

    // What the options ask for and the parts allow.
    [[nodiscard]] StartMethod start_method() const noexcept;

    SpawnOptions options;
    std::vector<detail::Entry> entries;
    detail::Schedule schedule;
    detail::PlanStorage plan;
};

}  // namespace syncspawn
