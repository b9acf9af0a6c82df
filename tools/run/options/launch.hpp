#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "tools/command_line/command_line.hpp"
#include "tools/supervise/supervise.hpp"

namespace syncspawn::tools {

// How the launch is waited for, and how it ends.
struct LaunchSettings {
    std::optional<std::chrono::nanoseconds> timeout{};
    std::chrono::nanoseconds kill_after = std::chrono::seconds(5);
    int timeout_signal = SIGTERM;
    Verbosity verbosity = Verbosity::usual;
    bool pty = false;
    bool new_session = false;
};

// --wait-ready without a time.
constexpr auto no_limit = std::chrono::nanoseconds::max();

void add_launch_options(std::vector<Option>& rows, LaunchSettings& settings, SpawnOptions& spawn);

}  // namespace syncspawn::tools
