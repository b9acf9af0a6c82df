#pragma once

#include <string>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox/sandbox.hpp>

namespace syncspawn::tools {

// --dry-run: what would happen, as text. Without a policy `sandbox` is null.
std::string dry_run_of(const SyncedSpawner& spawner, const sandbox::Sandbox* sandbox);

}  // namespace syncspawn::tools
