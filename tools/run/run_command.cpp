// `syncspawn run`: launches the program, stands by until it ends, and ends as it did.

#include <csignal>
#include <system_error>

#include "end_as.hpp"
#include "plan.hpp"
#include "policy_plan.hpp"
#include "run_options.hpp"
#include "tools/commands.hpp"
#include "tools/doctor/hint.hpp"
#include "tools/exit_codes.hpp"
#include "tools/hooks/hooks.hpp"
#include "tools/messages.hpp"
#include "tools/report/dry_run.hpp"
#include "tools/supervise/descendants.hpp"
#include "tools/supervise/held_signals.hpp"
#include "tools/supervise/supervise.hpp"

namespace syncspawn::tools {
namespace {

int code_of(const SpawnError& error) {
    if (error.cause() == Cause::timed_out) {
        return exit_timed_out;
    }
    if (error.stage() == Stage::execve && error.cause() == Cause::error) {
        return error.code() == std::errc::no_such_file_or_directory ? exit_not_found
                                                                    : exit_not_executable;
    }
    return exit_own_failure;
}

int end_failed_launch(const Outcome& outcome, const SpawnOptions& options) {
    if (outcome.signal != 0) {
        return die_of(outcome.signal);
    }
    if (outcome.ended_by == EndedBy::timeout) {
        complain("the program was not ready before its --timeout was over");
        return exit_timed_out;
    }
    // What a hook says of itself, this machine does not explain.
    const std::string words = failure_in_words(outcome.error);
    complain(words == outcome.error.what() ? explanation_of(outcome.error, options) : words);
    return code_of(outcome.error);
}

int end_after(const Outcome& outcome, const SpawnOptions& options) {
    if (outcome.error) {
        return end_failed_launch(outcome, options);
    }
    if (outcome.ended_by == EndedBy::timeout) {
        return outcome.took_kill ? exit_signal_base + SIGKILL : exit_timed_out;
    }
    return end_as(outcome.status);
}

int launch(RunSettings& settings) {
    const HeldSignals signals;
    const RunPlan plan = make_plan(settings, signals);
    if (settings.policy.save_to) {
        save_policy(plan.sandbox->policy(), *settings.policy.save_to);
    }
    if (settings.inspection.dry_run) {
        return print(
            dry_run_of(plan.spawner, plan.sandbox ? &*plan.sandbox : nullptr, plan.left_out));
    }
    const Descendants descendants;
    const Outcome outcome = supervise(plan.spawner, plan.supervision, signals, descendants);
    for (const auto& observer : plan.observers) {
        observer->over();
    }
    return end_after(outcome, plan.spawner.options());
}

}  // namespace

int run(int argc, char** argv) {
    auto settings = parse_run_options(argc, argv);
    if (!settings) {
        return print_help(describe_run);
    }
    try {
        if (settings->spawn.program.empty()) {
            refuse_both(settings->policy.first_option, settings->surroundings.first_option);
            save_policy(whole_policy(*settings), *settings->policy.save_to);
            return 0;
        }
        return launch(*settings);
    } catch (const Complaints& complaints) {
        for (const std::string& line : complaints.lines()) {
            complain(line);
        }
        return exit_own_failure;
    }
}

}  // namespace syncspawn::tools
