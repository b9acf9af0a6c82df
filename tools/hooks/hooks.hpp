#pragma once

#include <string>

#include <syncspawn/launcher.hpp>

#include "hook_settings.hpp"

namespace syncspawn::tools {

// Adds them as steps, one after the other: behind the surroundings, before the restrictions. While a hook runs
// the other side waits. What hooks leave behind ends with the program.
void add_to(SyncedSpawner& spawner, const HookSettings& settings);

// "parent hook 'CMD' exited with code 3" if that is why the launch failed, else what the error says itself.
std::string failure_in_words(const SpawnError& error);

}  // namespace syncspawn::tools
