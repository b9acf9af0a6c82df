#pragma once

#include <vector>

#include <syncspawn/launcher/step.hpp>

#include "namespace_plan.hpp"
#include "surroundings.hpp"

namespace syncspawn::tools {

// Who the program is in its user namespace.
struct IdSteps {
    std::vector<Step> first{};  // before everything that needs an id
    std::vector<Step> last{};   // behind everything that needs a capability
};

// Throws UsageError for ids that no map has, and std::invalid_argument for ranges that make no sense.
IdSteps id_steps(const Surroundings& surroundings, const NamespacePlan& plan);

}  // namespace syncspawn::tools
