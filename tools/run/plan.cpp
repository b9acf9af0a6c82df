#include "plan.hpp"

#include <stdexcept>

#include "listen_pid.hpp"
#include "policy_plan.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/hooks/hooks.hpp"
#include "tools/report/observers.hpp"
#include "tools/supervise/terminal_session.hpp"

namespace syncspawn::tools {
namespace {

// Without any of a sandbox a launch is one as by env(1) or timeout(1).
bool is_plain(const RunSettings& settings) {
    return !settings.surroundings.is_sandboxing() && !settings.policy.is_used();
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
// hooks; then limits, scheduling, ids, capabilities, no_new_privs, Landlock, and seccomp last.
void add_steps(RunPlan& plan, RunSettings& settings) {
    if (settings.policy.is_used()) {
        add_policy_surroundings(plan, settings);
    } else {
        add_early_gates(plan.spawner, settings.gates);
        add_to(plan.spawner, settings.surroundings, Manner::safe_defaults, plan.left_out);
    }
    add_late_gates(plan.spawner, settings.gates);
    add_to(plan.spawner, settings.hooks);
    add_to(plan.spawner, settings.restrictions, manner_of(settings));
    pass_on_listen_pid(plan.spawner);
    if (settings.policy.is_used()) {
        add_policy_restrictions(plan, settings);
    }
}

void add_observers(RunPlan& plan, const RunSettings& settings) {
    if (auto exit_code = exit_code_observer(settings.gates)) {
        plan.observers.push_back(std::move(exit_code));
    }
    for (auto& observer : observers_for(settings.reports, plan.clients)) {
        plan.observers.push_back(std::move(observer));
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
    settle(settings.gates, settings.surroundings);
    refuse_both(settings.policy.first_option, settings.surroundings.first_option);
    settings.surroundings.restrictions_are_sandboxing =
        settings.restrictions.is_sandboxing() && !settings.policy.is_used();
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
