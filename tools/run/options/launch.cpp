#include "launch.hpp"

#include <cctype>
#include <stdexcept>

#include "tools/command_line/duration.hpp"

namespace syncspawn::tools {
namespace {

std::chrono::nanoseconds parse_limit(const std::string& text,
                                     const char* advice = "without the option there is no limit") {
    const auto limit = parse_duration(text);
    if (limit <= std::chrono::nanoseconds::zero()) {
        throw UsageError("'" + text + "' is no time at all", advice);
    }
    return limit;
}

void add_limits(std::vector<Option>& rows, LaunchSettings& settings) {
    rows.push_back({"--timeout", "DURATION",
                    "End PROGRAM, and what it has started, if it still runs after DURATION",
                    "Launch",
                    [&](const Given& given) { settings.timeout = parse_limit(*given.value); }});
    rows.push_back(
        {"-s, --signal", "NAME", "With --timeout: ask PROGRAM to end by this (TERM)", "",
         [&](const Given& given) { settings.timeout_signal = parse_signal(*given.value); }});
    rows.push_back(
        {"-k, --kill-after", "DURATION",
         "With --timeout or --pty: send KILL so long after having asked (5s)", "",
         [&](const Given& given) { settings.kill_after = parse_duration(*given.value); }});
}

}  // namespace

void add_launch_options(std::vector<Option>& rows, LaunchSettings& settings, SpawnOptions& spawn) {
    add_limits(rows, settings);
    rows.push_back(
        {"--wait-ready", "[=DURATION]",
         "Hand the barrier over, and fail unless the program says it is ready (within DURATION)",
         "", [&](const Given& given) {
             spawn.readiness.within =
                 given.value ? parse_limit(*given.value, "without '=' there is no limit")
                             : no_limit;
         }});
    rows.push_back({"--setup-timeout", "DURATION",
                    "Fail unless the program is executed within DURATION", "",
                    [&](const Given& given) { spawn.setup.within = parse_limit(*given.value); }});
    rows.push_back({"--[no-]pty", "", "Give PROGRAM a terminal of its own", "",
                    [&](const Given& given) { settings.pty = !given.negated; }});
    rows.push_back({"--[no-]new-session", "",
                    "Let PROGRAM lead a session of its own, without our terminal", "",
                    [&](const Given& given) { settings.new_session = !given.negated; }});
    rows.push_back({"-q, --[no-]quiet", "", "Do not say what a start that takes long waits for", "",
                    [&](const Given& given) {
                        settings.verbosity = given.negated ? Verbosity::usual : Verbosity::quiet;
                    }});
}

void check(const LaunchSettings& settings) {
    if (settings.timeout_signal && !settings.timeout) {
        throw UsageError("--signal says how --timeout ends the program, and there is none",
                         "add --timeout DURATION");
    }
    if (settings.kill_after && !settings.timeout && !settings.pty) {
        throw UsageError("--kill-after says how --timeout ends the program, and there is none",
                         "add --timeout DURATION");
    }
    if (settings.pty && settings.new_session == false) {
        throw UsageError(
            "--pty and --no-new-session: a program with a terminal of its own leads a session",
            "leave out the one or the other");
    }
}

int parse_signal(const std::string& text) {
    std::string name;
    for (const char letter : text) {
        name += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    }
    for (int number = 1; number <= SIGRTMAX; ++number) {
        const std::string full = signal_name(number);
        if (name == std::to_string(number) || name == full || "SIG" + name == full) {
            return number;
        }
    }
    throw std::invalid_argument("'" + text + "' is no signal: say TERM, SIGTERM or 15");
}

}  // namespace syncspawn::tools
