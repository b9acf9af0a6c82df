#pragma once

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/landlock.hpp>

namespace syncspawn::sandbox {

// The ruleset as a kernel of the plan's version has it: a newer one takes it, too. Throws what landlock() throws
// for rules that make no sense, and for paths that cannot be opened.
UniqueFd make_ruleset(const LandlockRules& rules, const LandlockPlan& plan);

}  // namespace syncspawn::sandbox
