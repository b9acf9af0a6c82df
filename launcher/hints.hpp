#pragma once

#include <string>

#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

#include "spawn_error_facts.hpp"

namespace syncspawn::detail {

// What to do about an errno that misleads; empty where it says all.
std::string hint_for(const SpawnOptions& options, const SpawnError::Facts& failure);

}  // namespace syncspawn::detail
