#pragma once

#include <functional>
#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>
#include <syncspawn/sandbox/network.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "decision.hpp"
#include "file_view.hpp"

namespace syncspawn::sandbox {

// The steps of a sandbox, in the order that launcher/sandbox/README.md gives reasons for.
struct SandboxSteps {
    std::vector<Step> surroundings{};
    std::vector<Step> restrictions{};
    std::string private_tmp{};  // where Landlock holds the files; a step keeps it
};

// Opens what the steps need. What is refused is added to `problems`.
SandboxSteps steps_of(const Policy& policy, const FileView& view, const Decisions& decisions,
                      const std::function<void(OpenDoor)>& doors, std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
