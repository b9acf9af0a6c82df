#include "plan_storage.hpp"

#include <algorithm>
#include <utility>

#include <syncspawn/barrier/hand_over.hpp>

#include "program_paths.hpp"

namespace syncspawn::detail {
namespace {

constexpr std::size_t hand_over_variables = 4;

std::vector<std::string> candidate_paths(const SpawnOptions& options) {
    return options.program_search == ProgramSearch::none
               ? std::vector<std::string>{options.program}
               : program_paths(options.program, options.environment.get("PATH"));
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

// `exec_failed` is told once for each step: with its first part.
ChildOperation operation_of(const Schedule& schedule, std::uint32_t index) {
    const Item& item = schedule.items[index];
    ChildOperation operation{item.kind, index, nullptr, nullptr, item.waits, false};
    if (item.kind == ItemKind::step) {
        operation.part = &item.step->child.run;
        operation.exec_failed = &item.step->exec_failed;
        operation.sends_descriptors = item.step->sends_descriptors > 0;
    } else if (item.kind == ItemKind::last) {
        operation.part = &item.step->last.run;
        operation.exec_failed = item.step->child.run ? nullptr : &item.step->exec_failed;
        operation.sends_descriptors = item.step->sends_descriptors > 0;
    }
    return operation;
}

std::vector<ChildOperation> operations_of(const Schedule& schedule,
                                          const std::vector<std::uint32_t>& items) {
    std::vector<ChildOperation> operations;
    operations.reserve(items.size());
    for (const std::uint32_t index : items) {
        operations.push_back(operation_of(schedule, index));
    }
    return operations;
}

bool may_share_memory(const ChildPart& part) {
    return !part.run || part.rules == ChildRules::shared_memory;
}

Leads leads_by(KillScope scope) noexcept {
    switch (scope) {
        case KillScope::process_group:
            return Leads::group;
        case KillScope::session:
            return Leads::session;
        default:
            return Leads::nothing;
    }
}

}  // namespace

HandedEnvironment::HandedEnvironment(std::vector<char*> environment)
    : entries_(std::move(environment)) {
    entries_.resize(entries_.size() + hand_over_variables, nullptr);
}

HandOverPlan HandedEnvironment::plan() noexcept {
    return entries_.empty()
               ? HandOverPlan{nullptr, 0}
               : HandOverPlan{entries_.data(), entries_.size() - hand_over_variables - 1};
}

PlanStorage::PlanStorage(const SpawnOptions& options, const Schedule& schedule)
    : options_(options),
      schedule_(schedule),
      candidate_paths_(candidate_paths(options)),
      operations_(operations_of(schedule, schedule.child)),
      last_parts_(operations_of(schedule, schedule.last)) {
    for (const std::string& path : candidate_paths_) {
        candidates_.push_back(path.c_str());
    }
    candidates_.push_back(nullptr);
    argument_texts_.push_back(options.argument_zero.value_or(options.program));
    argument_texts_.insert(argument_texts_.end(), options.arguments.begin(),
                           options.arguments.end());
    arguments_ = pointers_to(argument_texts_);
    for (const std::string& entry : options.environment.entries()) {
        // A barrier of this process is not the child's.
        if (!is_barrier_variable(entry)) {
            environment_texts_.push_back(entry);
        }
    }
    environment_ = pointers_to(environment_texts_);
    for (const Item& item : schedule.items) {
        has_parts_ =
            has_parts_ || (item.step != nullptr && (item.step->child.run || item.step->last.run));
        changes_credentials_ =
            changes_credentials_ ||
            (item.step != nullptr && item.step->child.credentials == Credentials::change);
        parts_may_share_memory_ = parts_may_share_memory_ &&
                                  (item.step == nullptr || (may_share_memory(item.step->child) &&
                                                            may_share_memory(item.step->last)));
    }
    // It locks its memory, which costs the flag that a change of credentials does.
    changes_credentials_ =
        changes_credentials_ || options.birth.first_process != FirstProcess::program;
}

Plan PlanStorage::plan_of(const LaunchPlan& launch, const sigset_t* callers_mask,
                          LaunchRecord& record) const noexcept {
    return {.program = program_plan(),
            .order = order_plan(),
            .birth = birth_plan(launch.cgroup),
            .signals = signal_plan(callers_mask),
            .descriptors = launch.descriptors,
            .parent = launch.parent,
            .hand_over = launch.hand_over,
            .reaper = launch.reaper,
            .record = &record};
}

bool PlanStorage::hands_over() const noexcept {
    return options_.readiness.hand_over == HandOver::barrier ||
           options_.readiness.within.has_value();
}

HandedEnvironment PlanStorage::handed_environment() const {
    return hands_over() ? HandedEnvironment(environment_) : HandedEnvironment();
}

ProgramPlan PlanStorage::program_plan() const noexcept {
    const std::string& directory = options_.working_directory;
    return {.candidates = candidates_.data(),
            .arguments = arguments_.data(),
            .environment = environment_.data(),
            .working_directory = directory.empty() ? nullptr : directory.c_str()};
}

OrderPlan PlanStorage::order_plan() const noexcept {
    return {.operations = operations_.data(),
            .operation_count = operations_.size(),
            .rendezvous_count = static_cast<std::uint32_t>(
                std::ranges::count(operations_, ItemKind::rendezvous, &ChildOperation::kind)),
            .last_parts = last_parts_.data(),
            .last_part_count = last_parts_.size(),
            .begin_item = schedule_.begin,
            .descriptors_item = schedule_.descriptors,
            .execve_item = schedule_.execve,
            .has_parts = has_parts_,
            .changes_credentials = changes_credentials_,
            .may_be_cloned = parts_may_share_memory_};
}

BirthPlan PlanStorage::birth_plan(int cgroup) const noexcept {
    return {.namespaces = static_cast<std::uint32_t>(options_.birth.namespaces),
            .cgroup = cgroup,
            .pid_namespace = options_.birth.pid_namespace,
            .leads = leads_by(options_.ending.scope),
            .die_with_parent = options_.ending.die_with_parent};
}

SignalPlan PlanStorage::signal_plan(const sigset_t* callers_mask) const noexcept {
    const auto& wanted = options_.signals.mask;
    SignalPlan plan{.reset_ignored = options_.signals.ignored == IgnoredSignals::reset,
                    .sets_mask = wanted || callers_mask != nullptr,
                    .program_mask = {}};
    if (plan.sets_mask) {
        plan.program_mask = wanted ? *wanted : *callers_mask;
    }
    return plan;
}

}  // namespace syncspawn::detail
