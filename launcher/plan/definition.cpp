#include "definition.hpp"

#include <utility>

namespace syncspawn::detail {

Definition::Definition(std::shared_ptr<const SpawnOptions> wanted, std::vector<Entry> added)
    : shared_options(std::move(wanted)),
      entries(std::move(added)),
      schedule(make_schedule(entries, options.program, options.working_directory)),
      plan(options, schedule) {}

bool Definition::child_parts_may_share_memory() const noexcept {
    return plan.parts_may_share_memory();
}

bool Definition::leaves_the_parent_nothing_to_do() const noexcept {
    return entries.empty() && !options.setup.within && options.setup.cancel_when_readable < 0 &&
           !plan.hands_over();
}

StartMethod Definition::start_method() const noexcept {
    return child_parts_may_share_memory() ? options.birth.method : StartMethod::copied_memory;
}

}  // namespace syncspawn::detail
