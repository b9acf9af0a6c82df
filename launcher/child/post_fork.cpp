#include "post_fork.hpp"

#include "child.hpp"

// See README.md for the contract of this room.

namespace syncspawn::detail {

namespace {

[[noreturn]] void become_program(Child& child) noexcept {
    arrange_descriptors(child);

    const OrderPlan& order = child.plan.order;
    const std::uint32_t item = order.execve_item;
    child.record.begin(WhichSide::child, item);
    settle_signal_mask(child, item);
    if (order.last_part_count > 0) {  // behind them there is no system call to settle anything
        settle_death_signal(child, item);
        do_last_parts(child);
        commit(child);
    } else {
        commit(child);
        settle_death_signal(child, item);
    }
    execute(child);
}

}  // namespace

void run_child(const Plan& plan, const Arrival& arrival) noexcept {
    Child child(plan, arrival);
    arrive(child);
    do_parts(child);
    if (plan.reaper.file >= 0) {
        become_reaper(child, [](Child& second) noexcept { become_program(second); });
    }
    become_program(child);
}

}  // namespace syncspawn::detail
