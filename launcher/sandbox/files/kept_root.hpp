#pragma once

#include <span>

#include "launcher/sandbox/child/mounts.hpp"

namespace syncspawn::sandbox {

// Finds out whether a child may keep its root (../README.md, "The root that is kept"), and what it has to clone before
// anything changes, so that all sources are still what they are on the host.
void plan_kept_root(std::span<MountAction> actions, MountPlan& plan);

}  // namespace syncspawn::sandbox
