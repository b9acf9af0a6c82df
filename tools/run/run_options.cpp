#include "run_options.hpp"

#include <chrono>
#include <vector>

#include "tools/command_line/command_line.hpp"
#include "tools/command_line/duration.hpp"
#include "tools/commands.hpp"

namespace syncspawn::tools {
namespace {

constexpr auto no_limit = std::chrono::nanoseconds::max();

std::vector<Option> options_for(RunSettings& settings) {
    SpawnOptions& spawn = settings.spawn;
    return {
        {"--map-root", "", "Make the caller root in a new user namespace", "Namespaces",
         [&](const Given&) { settings.map_root = true; }},

        {"--chdir", "DIR", "Start in DIR", "Program",
         [&](const Given& given) {
             if (given.value->empty()) {
                 throw UsageError("must not be empty");
             }
             spawn.working_directory = *given.value;
         }},
        {"--setenv", "NAME VALUE", "Set an environment variable; NAME=VALUE works too", "",
         [&](const Given& given) { spawn.environment.set(*given.value, given.second); }},
        {"--unsetenv", "NAME", "Remove an environment variable", "",
         [&](const Given& given) {
             if (given.value->empty() || given.value->find('=') != std::string::npos) {
                 throw UsageError("a name must not be empty or contain '='");
             }
             spawn.environment.unset(*given.value);
         }},
        {"--clearenv", "", "Remove all environment variables set so far", "",
         [&](const Given&) { spawn.environment.clear(); }},

        {"--wait-ready", "[=TIMEOUT]",
         "Hand the barrier over, and fail unless the program says it is ready (within TIMEOUT)",
         "Launch",
         [&](const Given& given) {
             spawn.readiness.within = given.value ? parse_duration(*given.value) : no_limit;
         }},
        {"--setup-timeout", "TIMEOUT", "Fail unless the program is executed within TIMEOUT", "",
         [&](const Given& given) { spawn.setup.within = parse_duration(*given.value); }},
        {"--timeline", "", "Draw on stderr what parent and child did when", "",
         [&](const Given&) { settings.timeline = true; }},
        help_option,
    };
}

CommandLine run_line(RunSettings& settings) {
    return {.command = "syncspawn run",
            .synopsis = "[OPTION]... [--] PROGRAM [ARG]...",
            .summary = "Launch PROGRAM behind a barrier and wait for its end.",
            .options = options_for(settings),
            .notes =
                "A TIMEOUT is 2, 1.5s, 200ms or 3m.\n"
                "Ends as PROGRAM does, with the same exit status or by the same signal. Exits "
                "with 125 if the launch fails, 126 if PROGRAM cannot be executed, and 127 if "
                "it does not exist."};
}

// "--wait-ready 2s prog" waits for ever, and for a program named 2s.
void refuse_detached_timeout(const RunSettings& settings, const Operands& operands) {
    if (settings.spawn.readiness.within == no_limit && !operands.words.empty() &&
        is_duration(operands.words.front())) {
        const std::string& word = operands.words.front();
        throw UsageError("a TIMEOUT of --wait-ready is joined to it: say --wait-ready=" + word +
                         "; a program of that name is ./" + word);
    }
}

}  // namespace

void describe_run(const LineUser& use) {
    RunSettings unused;
    use(run_line(unused));
}

std::optional<RunSettings> parse_run_options(int argc, char** argv) {
    RunSettings settings;
    const auto operands = parse(run_line(settings), argc, argv);
    if (!operands) {
        return std::nullopt;
    }
    refuse_detached_timeout(settings, *operands);
    const std::vector<std::string>& words = operands->behind_options();
    if (words.empty() || words.front().empty()) {
        throw UsageError("PROGRAM is required");
    }
    settings.spawn.program = words.front();
    settings.spawn.arguments.assign(words.begin() + 1, words.end());
    return settings;
}

}  // namespace syncspawn::tools
