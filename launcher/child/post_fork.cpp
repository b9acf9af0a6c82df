#include "post_fork.hpp"

#include "child.hpp"

// See README.md for the contract of this room.

namespace syncspawn::detail {

void run_child(const Plan& plan, const Arrival& arrival) noexcept {
    Child child(plan, arrival);
    arrive(child);
    do_parts(child);
    arrange_descriptors(child);

    const std::uint32_t item = plan.order.execve_item;
    child.record.begin(WhichSide::child, item);
    settle_signal_mask(child, item);
    if (plan.order.last_part_count > 0) {  // behind them there is no system call to settle anything
        settle_death_signal(child, item);
        do_last_parts(child);
        commit(child);
    } else {
        commit(child);
        settle_death_signal(child, item);
    }
    execute(child);
}

}  // namespace syncspawn::detail
