#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/sandbox/enforcement.hpp>
#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "finding.hpp"

namespace syncspawn::tools {

// A program that was launched under the policy.
struct TrialLaunch {
    bool has_run = false;
    std::string
        why_not{};  // nothing that can be held against the machine: the policy hides the program
    std::optional<sandbox::Enforcement> enforcement{};  // what was read back
};

// Whether a policy holds here.
struct Verdict {
    std::vector<sandbox::Problem> problems{};  // what it does not hold for
    std::vector<sandbox::Holding>
        holdings{};  // of the policy, or of what could be had instead of it
    // What the policy would have to accept so that it holds; empty: it holds, or nothing helps.
    std::vector<sandbox::Guarantee> accept_weaker{};
    TrialLaunch launch{};

    [[nodiscard]] bool holds() const noexcept { return problems.empty(); }
};

// "confirmed", "refuted" or "unread".
std::string_view word_of(sandbox::Reading reading) noexcept;

// By a plan for this machine, and by a launch of a small program.
Verdict judge(const sandbox::Policy& policy, const sandbox::Machine& machine);

// A plan knows which controller of cgroups is missing; these findings know why.
void explain_missing_controllers(Verdict& verdict, const FindingGroup& cgroups);

}  // namespace syncspawn::tools
