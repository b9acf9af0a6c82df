#include <syncspawn/sandbox/landlock.hpp>

#include <utility>

#include "kernel.hpp"
#include "launcher/sandbox/child/landlock.hpp"
#include "plan.hpp"
#include "ruleset.hpp"

namespace syncspawn::sandbox {

// Shared memory is safe: the kernel changes no id and adds no capability, and so leaves the "dumpable" flag alone.
Step landlock_for(const LandlockSupport& support, const LandlockRules& rules,
                  const LandlockOptions& options) {
    const LandlockPlan plan = plan_for(support.version, rules, options);
    require_sufficient(plan, options, support);
    UniqueFd ruleset = make_ruleset(rules, plan);
    if (!ruleset) {  // all that it was about may be missing, and is
        return {.name = "landlock", .child = shared_memory([](ChildSide&) {})};
    }
    const bool is_logged = (plan.wanted & LandlockParts::log) != LandlockParts::none &&
                           (plan.missing & LandlockParts::log) == LandlockParts::none;
    const unsigned flags = is_logged ? kernel::log_new_programs : 0;
    Step step{.name = "landlock", .descriptors = {ruleset.get()}};
    step.child = shared_memory([ruleset = std::move(ruleset), flags](ChildSide& side) {
        return enter_landlock(side, ruleset.get(), flags);
    });
    return step;
}

Step landlock(const LandlockRules& rules, const LandlockOptions& options) {
    return landlock_for(landlock_support(), rules, options);
}

}  // namespace syncspawn::sandbox
