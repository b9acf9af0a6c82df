#pragma once

#include <syncspawn/launcher/planned_launch.hpp>

#include "definition.hpp"

namespace syncspawn::detail {

[[nodiscard]] PlannedLaunch explanation_of(const Definition& definition);

}  // namespace syncspawn::detail
