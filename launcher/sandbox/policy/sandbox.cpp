#include <syncspawn/sandbox/sandbox.hpp>

#include <stdexcept>
#include <utility>

#include "checks.hpp"
#include "decision.hpp"
#include "limit_checks.hpp"
#include "named_descriptors.hpp"
#include "program_user.hpp"
#include "read_back.hpp"
#include "resolution.hpp"
#include "sandbox_steps.hpp"

namespace syncspawn::sandbox {

struct Sandbox::Plan {
    Policy policy;
    FileView view;
    Decisions decisions;
    SandboxSteps steps;
    std::vector<PassedDescriptor> descriptors;
};

namespace {

// First what is wrong with the policy alone: of a view with errors, nothing else would be true.
std::shared_ptr<const Sandbox::Plan> plan_of(Policy policy, const Machine& machine,
                                             const Bindings& bindings, const DoorReceiver& doors) {
    std::vector<Problem> problems;
    auto plan = std::make_shared<Sandbox::Plan>();
    plan->view = resolve_files(policy, user_of_program(policy.privileges, machine), problems);
    plan->view.console = bindings.terminal;
    plan->descriptors = resolve_descriptors(policy, bindings, plan->view, problems);
    check_values(policy, problems);
    if (!policy.doors.empty() && !doors) {
        problems.push_back({"doors", "nobody receives them", "give Sandbox a function that does"});
    }
    plan->decisions = decide(policy, plan->view, machine, Caller::now(), problems);
    check_limits(policy.limits, plan->decisions, problems);
    if (problems.empty()) {
        plan->steps = steps_of(policy, plan->view, plan->decisions, doors, problems);
    }
    if (!problems.empty()) {
        throw PolicyError(std::move(problems));
    }
    plan->policy = std::move(policy);
    return plan;
}

void add_all(SyncedSpawner& spawner, const std::vector<Step>& steps) {
    for (const Step& step : steps) {
        spawner.step(step);
    }
}

ExplainedStep explained(const Step& step) {
    return {.name = step.name,
            .is_in_child = static_cast<bool>(step.child.run),
            .is_in_parent = step.parent || step.before_start || step.after_execve || step.after_end,
            .is_last = static_cast<bool>(step.last.run),
            .is_ordered = step.order != StepOrder::together};
}

}  // namespace

Sandbox::Sandbox(Policy policy, const DoorReceiver& doors)
    : Sandbox(std::move(policy), Machine::here(), Bindings{}, doors) {}
Sandbox::Sandbox(Policy policy, const Bindings& bindings, const DoorReceiver& doors)
    : Sandbox(std::move(policy), Machine::here(), bindings, doors) {}
Sandbox::Sandbox(Policy policy, const Machine& machine, const DoorReceiver& doors)
    : Sandbox(std::move(policy), machine, Bindings{}, doors) {}
Sandbox::Sandbox(Policy policy, const Machine& machine, const Bindings& bindings,
                 const DoorReceiver& doors)
    : plan_(plan_of(std::move(policy), machine, bindings, doors)) {}

void Sandbox::add_to(SyncedSpawner& spawner) const {
    add_surroundings_to(spawner);
    add_restrictions_to(spawner);
}

void Sandbox::add_surroundings_to(SyncedSpawner& spawner) const {
    SyncedSpawner changed = spawner.with(options_for(spawner.options()));
    add_all(changed, plan_->steps.surroundings);
    spawner = std::move(changed);
}

void Sandbox::add_restrictions_to(SyncedSpawner& spawner) const {
    SyncedSpawner changed = spawner;
    add_all(changed, plan_->steps.restrictions);
    spawner = std::move(changed);
}

SpawnOptions Sandbox::options_for(SpawnOptions options) const {
    const Namespaces own = plan_->decisions.namespaces(plan_->policy);
    if ((options.birth.namespaces & own) != Namespaces::none) {
        throw std::invalid_argument(
            "sandbox: birth.namespaces has some that the sandbox makes itself");
    }
    options.birth.namespaces = options.birth.namespaces | own;
    const Processes& processes = plan_->policy.processes;
    if (plan_->decisions.has_pid_namespace && processes.reaper) {
        options.birth.first_process =
            processes.outlive ? FirstProcess::lasting_reaper : FirstProcess::reaper;
    }
    if (plan_->decisions.scopes_signals && options.ending.scope == KillScope::process) {
        options.ending.scope = KillScope::process_group;
    }
    options.descriptors.passed.insert(options.descriptors.passed.end(), plan_->descriptors.begin(),
                                      plan_->descriptors.end());
    options.ending.die_with_parent = options.ending.die_with_parent || processes.die_with_parent;
    if (!temporary_directory().empty()) {
        options.environment.set("TMPDIR", temporary_directory());
    }
    return options;
}

std::vector<Step> Sandbox::steps() const {
    std::vector<Step> all = plan_->steps.surroundings;
    all.insert(all.end(), plan_->steps.restrictions.begin(), plan_->steps.restrictions.end());
    return all;
}

const std::string& Sandbox::temporary_directory() const noexcept {
    return plan_->decisions.files == FilesBy::landlock ? plan_->steps.private_tmp
                                                       : plan_->view.private_tmp;
}

Explanation Sandbox::explain() const {
    Explanation explanation{.holdings = plan_->decisions.holdings};
    for (const Step& step : steps()) {
        explanation.steps.push_back(explained(step));
    }
    return explanation;
}

Enforcement Sandbox::enforcement(const Process& program) const {
    return enforcement(program.pid());
}

Enforcement Sandbox::enforcement(pid_t child) const {
    return read_back(child, plan_->policy, plan_->decisions);
}

const Policy& Sandbox::policy() const noexcept { return plan_->policy; }

std::string Explanation::to_string() const {
    std::string text;
    for (const Holding& holding : holdings) {
        text += holding.to_string() + "\n";
    }
    for (const ExplainedStep& step : steps) {
        text += "step '" + step.name + "':";
        text += step.is_in_child ? " in the child" : "";
        text += step.is_in_parent ? " in the parent" : "";
        text += step.is_last ? " right before execve" : "";
        text += step.is_ordered ? ", one side waits for the other" : "";
        text += "\n";
    }
    return text;
}

}  // namespace syncspawn::sandbox
