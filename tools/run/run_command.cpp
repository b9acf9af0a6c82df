// `syncspawn run`: launches the program, stands by until it ends, and ends as it did.

#include <cstdio>
#include <system_error>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "descendants.hpp"
#include "end_as.hpp"
#include "held_signals.hpp"
#include "run_options.hpp"
#include "supervisor.hpp"
#include "tools/commands.hpp"
#include "tools/exit_codes.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

int code_of(const SpawnError& error) {
    if (error.stage() == Stage::execve && error.cause() == Cause::error) {
        return error.code() == std::errc::no_such_file_or_directory ? exit_not_found
                                                                    : exit_not_executable;
    }
    return exit_own_failure;
}

void print_timeline(const RunSettings& settings, Timeline timeline) {
    if (settings.timeline) {
        for (TimelineEvent& event : timeline) {
            event.what = printable(event.what);
        }
        std::fputs(draw(timeline).c_str(), stderr);
    }
}

SyncedSpawner spawner_for(RunSettings& settings, const HeldSignals& signals) {
    settings.spawn.signals.mask = signals.callers_mask();
    settings.spawn.setup.cancel_when_readable = signals.ending();
    if (!settings.map_root) {
        return SyncedSpawner(settings.spawn);
    }
    settings.spawn.birth.namespaces = Namespaces::user;
    SyncedSpawner spawner(settings.spawn);
    spawner.step(steps::map_root());
    return spawner;
}

int end_failed_launch(const SpawnError& error, const HeldSignals& signals,
                      const Descendants& descendants) {
    if (error.program_may_have_run()) {
        descendants.kill_all();
    }
    signalfd_siginfo signal{};
    // The terminal's signal may have ended the child before it could cancel the launch here.
    if (HeldSignals::take(signals.ending(), signal)) {
        return die_of(static_cast<int>(signal.ssi_signo));
    }
    complain(error.what());
    return code_of(error);
}

int launch(RunSettings& settings) {
    const HeldSignals signals;
    const Descendants descendants;
    SyncedSpawner spawner = spawner_for(settings, signals);
    SpawnError error;
    Process process = spawner.spawn(error);
    if (error) {
        print_timeline(settings, error.timeline());
        return end_failed_launch(error, signals, descendants);
    }
    print_timeline(settings, process.timeline());
    if (supervise(process, signals) == EndedBy::a_signal) {
        descendants.kill_all();
    }
    return end_as(process.wait());
}

}  // namespace

int run(int argc, char** argv) {
    auto settings = parse_run_options(argc, argv);
    return settings ? launch(*settings) : print_help(describe_run);
}

}  // namespace syncspawn::tools
