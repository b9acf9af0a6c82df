#include "run_options.hpp"

#include <string_view>
#include <vector>

#include "options/descriptors.hpp"
#include "options/gates.hpp"
#include "options/hooks.hpp"
#include "options/inspection.hpp"
#include "options/launch.hpp"
#include "options/policy.hpp"
#include "options/program.hpp"
#include "options/reports.hpp"
#include "options/restrictions.hpp"
#include "options/surroundings.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/command_line/duration.hpp"
#include "tools/commands.hpp"

namespace syncspawn::tools {
namespace {

// All rows, one call for each group, in the order of --help.
std::vector<Option> options_for(RunSettings& settings) {
    std::vector<Option> rows;
    add_program_options(rows, settings.spawn);
    add_surroundings_options(rows, settings.surroundings);
    add_gate_options(rows, settings.gates);
    add_descriptor_options(rows, settings.descriptors);
    add_policy_options(rows, settings.policy);
    add_restriction_options(rows, settings.restrictions);
    add_launch_options(rows, settings.launch, settings.spawn);
    add_hook_options(rows, settings.hooks);
    add_report_options(rows, settings.reports);
    add_inspection_options(rows, settings.inspection);
    rows.push_back(help_option);
    return rows;
}

CommandLine run_line(RunSettings& settings) {
    return {.command = "syncspawn run",
            .synopsis = "[OPTION]... [--] PROGRAM [ARG]...",
            .summary = "Launch PROGRAM behind a barrier and wait for its end.",
            .options = options_for(settings),
            .notes =
                "A DURATION is 2, 1.5s, 200ms, 3m, 1h30m or 2d.\n"
                "Ends as PROGRAM does, with the same exit status or by the same signal. Exits "
                "with 124 if a DURATION was over (137 if it took KILL), 125 if the launch fails, "
                "126 if PROGRAM cannot be executed, and 127 if it does not exist."};
}

// "--wait-ready 2s prog" waits for ever, and for a program named 2s.
void refuse_detached_timeout(const RunSettings& settings, const Operands& operands) {
    if (settings.spawn.readiness.within == no_limit && !operands.words.empty() &&
        is_duration(operands.words.front())) {
        const std::string& word = operands.words.front();
        throw UsageError("a DURATION of --wait-ready is joined to it: say --wait-ready=" + word +
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
    if (settings.inspection.enforcement && !settings.policy.is_used()) {
        throw UsageError("--enforcement reads back what holds a policy, and there is none",
                         "say --sandbox, or any other word of a policy");
    }
    if (words.empty() && settings.policy.save_to) {
        settings.spawn.program.clear();
        return settings;
    }
    if (words.empty() || words.front().empty()) {
        throw UsageError("PROGRAM is required");
    }
    settings.spawn.program = words.front();
    settings.spawn.arguments.assign(words.begin() + 1, words.end());
    return settings;
}

}  // namespace syncspawn::tools
