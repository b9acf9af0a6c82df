#pragma once

/// The launcher layer: start a program with setup hooks on both sides, in lock-step.

#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>
#include <syncspawn/launcher/step.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>
