#pragma once

#include <string>

#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

#include "spawn_error_facts.hpp"

namespace syncspawn::detail {

// What to do about an errno that misleads, or what to ask of a child that went wrong without one. Empty
// where all is said, and where it would be a guess.
std::string hint_for(const SpawnOptions& options, StartMethod method,
                     const SpawnError::Facts& failure);

}  // namespace syncspawn::detail
