// `syncspawn run`: launches the program, stands by until it ends, and ends as it did.

#include <system_error>

#include "end_as.hpp"
#include "plan.hpp"
#include "run_options.hpp"
#include "tools/commands.hpp"
#include "tools/exit_codes.hpp"
#include "tools/messages.hpp"
#include "tools/supervise/descendants.hpp"
#include "tools/supervise/held_signals.hpp"
#include "tools/supervise/supervise.hpp"

namespace syncspawn::tools {
namespace {

int code_of(const SpawnError& error) {
    if (error.stage() == Stage::execve && error.cause() == Cause::error) {
        return error.code() == std::errc::no_such_file_or_directory ? exit_not_found
                                                                    : exit_not_executable;
    }
    return exit_own_failure;
}

int end_failed_launch(const Outcome& outcome) {
    if (outcome.signal != 0) {
        return die_of(outcome.signal);
    }
    complain(outcome.error.what());
    return code_of(outcome.error);
}

int launch(RunSettings& settings) {
    const HeldSignals signals;
    const RunPlan plan = make_plan(settings, signals);
    const Descendants descendants;
    const Outcome outcome = supervise(plan.spawner, plan.supervision, signals, descendants);
    return outcome.error ? end_failed_launch(outcome) : end_as(outcome.status);
}

}  // namespace

int run(int argc, char** argv) {
    auto settings = parse_run_options(argc, argv);
    return settings ? launch(*settings) : print_help(describe_run);
}

}  // namespace syncspawn::tools
