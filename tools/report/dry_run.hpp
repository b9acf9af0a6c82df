#pragma once

#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox/sandbox.hpp>

namespace syncspawn::tools {

// --dry-run: what would happen, as text. Without a policy `sandbox` is null. `left_out` is what options with -try have
// given up.
std::string dry_run_of(const SyncedSpawner& spawner, const sandbox::Sandbox* sandbox,
                       const std::vector<std::string>& left_out);

}  // namespace syncspawn::tools
