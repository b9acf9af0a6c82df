#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <exception>
#include <new>
#include <system_error>

#include "barrier/linux/cancellation.hpp"
#include "child.hpp"

namespace syncspawn::detail {
namespace {

// The slot is filled.
[[noreturn]] void leave_by(Child& child, const ChildOperation& operation) noexcept {
    child.record.child_failure.item = operation.item;
    child.report();
    child.leave();
}

void run_part(Child& child, const ChildOperation& operation, ChildSide& side) noexcept {
    FailureSlot& slot = child.record.child_failure;
    try {
        const std::error_code error = (*operation.part)(side);
        if (!error) {
            slot = {};  // what it said of a failure that it then made good
            return;
        }
        slot.set_code(error);
    } catch (const std::system_error& exception) {
        slot.set_exception(exception.what(), exception.code());
    } catch (const std::exception& exception) {
        slot.set_exception(exception.what());
    } catch (const EndOfThread&) {
        slot.set_exception("pthread_exit");
        leave_by(child, operation);  // from here: who lets go of this is ended by the C library
    } catch (...) {
        slot.set_exception("not a std::exception");
    }
    // Only now, without the exception: where memory is shared it would stay there for ever.
    leave_by(child, operation);
}

Outbox outbox_of(const Child& child, const ChildOperation& operation) noexcept {
    return {operation.sends_descriptors ? child.plan.parent.channel : -1, operation.item};
}

void take_step(Child& child, const ChildOperation& operation) noexcept {
    ChildSide side(child.record.child_failure, child.plan.parent.pid, child.plan.parent.pidfd,
                   child.replacement, outbox_of(child, operation));
    run_part(child, operation, side);
}

void enter_working_directory(Child& child, std::uint32_t item) noexcept {
    if (chdir(child.plan.program.working_directory) < 0) {
        child.fail({item, errno});
    }
}

void perform(Child& child, const ChildOperation* current) noexcept {
    const ChildOperation& operation = *current;
    child.record.begin(WhichSide::child, operation.item);
    switch (operation.kind) {
        case ItemKind::step:
            take_step(child, operation);
            // Again, since a change of credentials clears the signal. A step is never the last one.
            tie_to_parent(child, operation.item, current[1]);
            break;
        case ItemKind::working_directory:
            enter_working_directory(child, operation.item);
            break;
        default:
            child.meet(operation);
    }
    child.record.end(WhichSide::child, operation.item);
}

}  // namespace

void do_parts(Child& child) noexcept {
    const OrderPlan& order = child.plan.order;
    const std::size_t count = order.operation_count - (child.arrival.is_alone ? 1 : 0);
    for (std::size_t index = 0; index < count; ++index) {
        perform(child, order.operations + index);
    }
}

void do_last_parts(Child& child) noexcept {
    const OrderPlan& order = child.plan.order;
    // What must be asked is asked now.
    leave_if_parent_is_gone(child, order.execve_item);
    look_ahead(child.search);
    for (std::size_t index = 0; index < order.last_part_count; ++index) {
        const ChildOperation& operation = order.last_parts[index];
        // A clock may be a system call: the time is that of the item before.
        child.record.begin_as(order.execve_item, operation.item);
        // Never destroyed, since that may close a descriptor. execve will.
        alignas(ChildSide) std::byte room[sizeof(ChildSide)];
        auto* const side = new (room)
            ChildSide(child.record.child_failure, child.plan.parent.pid, child.plan.parent.pidfd,
                      child.replacement, outbox_of(child, operation));
        run_part(child, operation, *side);
        child.record.end_as(order.execve_item, operation.item);
        refuse_replaced_environment(child, operation.item);
    }
    child.record.child_item.store(order.execve_item, std::memory_order_relaxed);
}

}  // namespace syncspawn::detail
