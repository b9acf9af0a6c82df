#include "plan_storage.hpp"

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

}  // namespace

PlanStorage::PlanStorage(const SpawnOptions& options, const Schedule& schedule)
    : candidate_paths_(candidate_paths(options)), working_directory_(options.working_directory) {
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
    for (const std::uint32_t index : schedule.child) {
        const Item& item = schedule.items[index];
        const bool is_step = item.step != nullptr;
        operations_.push_back({item.kind, index, is_step ? &item.step->child.run : nullptr,
                               is_step ? &item.step->exec_failed : nullptr});
    }

    plan_.candidates = candidates_.data();
    plan_.arguments = arguments_.data();
    plan_.environment = environment_.data();
    plan_.environment_size = environment_texts_.size();
    plan_.working_directory = working_directory_.empty() ? nullptr : working_directory_.c_str();
    plan_.operations = operations_.data();
    plan_.operation_count = operations_.size();
    plan_.begin_item = schedule.begin;
    plan_.descriptors_item = schedule.descriptors;
    plan_.execve_item = schedule.execve;
    plan_.namespaces = static_cast<std::uint32_t>(options.birth.namespaces);
    plan_.cgroup = options.birth.cgroup;
    plan_.kill_scope = options.ending.scope;
    plan_.die_with_parent = options.ending.die_with_parent;
    plan_.reset_ignored_signals = options.signals.ignored == IgnoredSignals::reset;
    plan_.leaves_descriptors = options.descriptors.others == OtherDescriptors::leave;
    plan_.hand_over =
        options.readiness.hand_over == HandOver::barrier || options.readiness.within.has_value();
}

std::vector<char*> PlanStorage::environment_for_hand_over() const {
    std::vector<char*> environment = environment_;
    environment.resize(environment.size() + hand_over_variables, nullptr);
    return environment;
}

}  // namespace syncspawn::detail
