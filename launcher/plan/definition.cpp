#include "definition.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace syncspawn::detail {
namespace {

// Nobody has anything to do for it before execve.
bool is_behind_execve(const Entry& entry) noexcept {
    const Step* const step = std::get_if<Step>(&entry);
    return step != nullptr && !step->child.run && !step->parent && !step->last.run;
}

}  // namespace

Definition::Definition(std::shared_ptr<const SpawnOptions> wanted, std::vector<Entry> added)
    : shared_options(std::move(wanted)),
      entries(std::move(added)),
      schedule(make_schedule(entries, options.program, options.working_directory)),
      plan(options, schedule) {}

bool Definition::child_parts_may_share_memory() const noexcept {
    return plan.parts_may_share_memory();
}

bool Definition::leaves_the_parent_nothing_to_do() const noexcept {
    return std::all_of(entries.begin(), entries.end(), is_behind_execve) && !options.setup.within &&
           options.setup.cancel_when_readable < 0 && !plan.hands_over();
}

// While memory is not dumpable, the files in /proc of all that share it are root's: launches of an ordinary user
// would fail to write their id maps.
StartMethod Definition::start_method() const noexcept {
    if (options.birth.pid_namespace >= 0) {
        return StartMethod::copied_memory;  // its owner may trace the child
    }
    const bool harms_others = plan.changes_credentials() &&
                              options.birth.method == StartMethod::automatic && geteuid() != 0;
    return child_parts_may_share_memory() && !harms_others ? options.birth.method
                                                           : StartMethod::copied_memory;
}

}  // namespace syncspawn::detail
