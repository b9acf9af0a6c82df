#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "tools/command_line/command_line.hpp"
#include "tools/supervise/supervise.hpp"

namespace syncspawn::tools {

// How the launch is waited for, and how it ends.
struct LaunchSettings {
    std::optional<std::chrono::nanoseconds> timeout{};
    std::optional<std::chrono::nanoseconds> kill_after{};
    std::optional<int> timeout_signal{};
    Verbosity verbosity = Verbosity::usual;
    bool pty = false;
    std::optional<bool> new_session{};  // not set: as the rest would have it
};

// --wait-ready without a time.
constexpr auto no_limit = std::chrono::nanoseconds::max();

void add_launch_options(std::vector<Option>& rows, LaunchSettings& settings, SpawnOptions& spawn);

// Throws UsageError for options that say nothing without another, or contradict it.
void check(const LaunchSettings& settings);

// "TERM", "SIGTERM", "15", "RTMIN+1". Throws std::invalid_argument.
int parse_signal(const std::string& text);

}  // namespace syncspawn::tools
