#include "plan.hpp"

#include <cstdio>
#include <stdexcept>

#include <syncspawn/steps.hpp>

#include "listen_pid.hpp"
#include "policy_plan.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/messages.hpp"
#include "tools/supervise/terminal_session.hpp"

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

// Without any of a sandbox a launch is one as by env(1) or timeout(1).
bool is_plain(const RunSettings& settings) {
    return settings.surroundings.first_option.empty() && !settings.restrictions.is_sandboxing() &&
           !settings.policy.is_used();
}

SpawnOptions spawn_options(const RunSettings& settings, const HeldSignals& signals) {
    SpawnOptions options = settings.spawn;
    options.signals.mask = signals.callers_mask();
    options.setup.cancel_when_readable = signals.ending();
    options.descriptors.passed = settings.descriptors.kept;
    if (is_plain(settings)) {
        options.descriptors.others = OtherDescriptors::leave;
    }
    if (settings.launch.pty || settings.launch.new_session.value_or(false)) {
        options.ending.scope = KillScope::session;
    }
    return options;
}

// What holds unasked: nothing, unless the program is in a sandbox.
std::optional<Manner> manner_of(const RunSettings& settings) {
    return settings.surroundings.is_sandboxing() ? std::optional(Manner::safe_defaults)
                                                 : std::nullopt;
}

// The order of the child's steps: namespaces and maps, host name, keyring, session, mounts, network, gates; then
// limits, scheduling, ids, capabilities, no_new_privs, Landlock; then hooks, and seccomp last.
void add_steps(RunPlan& plan, RunSettings& settings) {
    if (settings.policy.is_used()) {
        add_policy_surroundings(plan, settings);
        add_to(plan.spawner, settings.restrictions, std::nullopt);
        pass_on_listen_pid(plan.spawner);
        add_policy_restrictions(plan, settings);
        return;
    }
    add_to(plan.spawner, settings.surroundings, Manner::safe_defaults, plan.left_out);
    add_to(plan.spawner, settings.restrictions, manner_of(settings));
    pass_on_listen_pid(plan.spawner);
}

void add_observers(RunPlan& plan, const RunSettings& settings) {
    if (settings.timeline) {
        plan.observers.push_back(std::make_unique<TimelineText>());
    }
    for (const auto& observer : plan.observers) {
        for (const std::string& what : plan.left_out) {
            observer->left_out(what);
        }
    }
}

Supervision supervision_for(const RunPlan& plan, const LaunchSettings& settings) {
    Supervision supervision;
    supervision.timeout = settings.timeout;
    supervision.kill_after = settings.kill_after.value_or(supervision.kill_after);
    supervision.timeout_signal = settings.timeout_signal.value_or(supervision.timeout_signal);
    supervision.verbosity = settings.verbosity;
    supervision.pty = plan.pty.get();
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
    check(settings.launch);
    refuse_both(settings.policy.first_option, settings.surroundings.first_option);
    settings.surroundings.restrictions_are_sandboxing = settings.restrictions.is_sandboxing();
    RunPlan plan{.spawner = SyncedSpawner(spawn_options(settings, signals))};
    if (settings.launch.pty) {
        plan.pty = std::make_unique<Pty>(options_like_our_terminal());
        plan.pty->add_to(plan.spawner);
    }
    add_steps(plan, settings);
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
