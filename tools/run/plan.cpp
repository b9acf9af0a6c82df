#include "plan.hpp"

#include <cstdio>

#include <syncspawn/steps.hpp>

#include "tools/command_line/command_line.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

class TimelineText : public Observer {
public:
    void runs(const Process& program) override { print(program.timeline()); }
    void failed(const SpawnError& error) override { print(error.timeline()); }

private:
    static void print(Timeline timeline) {
        for (TimelineEvent& event : timeline) {
            event.what = printable(event.what);
        }
        std::fputs(draw(timeline).c_str(), stderr);
    }
};

SpawnOptions spawn_options(const RunSettings& settings, const HeldSignals& signals) {
    SpawnOptions options = settings.spawn;
    options.signals.mask = signals.callers_mask();
    options.setup.cancel_when_readable = signals.ending();
    if (settings.map_root) {
        options.birth.namespaces = Namespaces::user;
    }
    return options;
}

// The order of the child's steps: namespaces and maps, host name, keyring, session, mounts, network, gates; then
// limits, scheduling, ids, capabilities, no_new_privs, Landlock; then hooks, and seccomp last.
void add_steps(SyncedSpawner& spawner, const RunSettings& settings) {
    if (settings.map_root) {
        spawner.step(steps::map_root());
    }
}

void add_observers(RunPlan& plan, const RunSettings& settings) {
    if (settings.timeline) {
        plan.observers.push_back(std::make_unique<TimelineText>());
    }
}

Supervision supervision_for(const RunPlan& plan, const LaunchSettings& settings) {
    Supervision supervision{.timeout = settings.timeout,
                            .kill_after = settings.kill_after,
                            .timeout_signal = settings.timeout_signal,
                            .verbosity = settings.verbosity,
                            .pty = plan.pty.get()};
    for (const auto& client : plan.clients) {
        supervision.clients.push_back(client.get());
    }
    for (const auto& observer : plan.observers) {
        supervision.observers.push_back(observer.get());
    }
    return supervision;
}

}  // namespace

RunPlan make_plan(RunSettings& settings, const HeldSignals& signals) {
    RunPlan plan{.spawner = SyncedSpawner(spawn_options(settings, signals))};
    add_steps(plan.spawner, settings);
    add_observers(plan, settings);
    plan.supervision = supervision_for(plan, settings.launch);
    return plan;
}

void refuse_both(const std::string& of_a_policy, const std::string& by_hand) {
    if (!of_a_policy.empty() && !by_hand.empty()) {
        throw UsageError(by_hand + " lays the tree out by hand, " + of_a_policy +
                             " is of a policy, and one command line cannot have both",
                         "leave out the one or the other");
    }
}

}  // namespace syncspawn::tools
