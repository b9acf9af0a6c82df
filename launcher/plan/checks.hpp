#pragma once

#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>

#include "schedule.hpp"

namespace syncspawn::detail {

// What can never work is refused when it is said: std::invalid_argument names the rule.
void check(const SpawnOptions& options);
void check(const StopActions& actions);
void check(const SpawnOptions& options, const Step& step);
void check(const SpawnOptions& options, const Rendezvous& rendezvous);

}  // namespace syncspawn::detail
