#pragma once

#include <syncspawn/steps.hpp>

#include "restrictions.hpp"

namespace syncspawn::tools {

// Looks the names up. Throws UsageError for one that is not there, and for a user without a group.
[[nodiscard]] steps::Identity identity_for(const IdentityWish& wish);

}  // namespace syncspawn::tools
