#include <cerrno>

#include "child.hpp"
#include "exec_diagnosis.hpp"
#include "exec_search.hpp"
#include "raw_calls.hpp"
#include "sanitizers.hpp"

namespace syncspawn::detail {
namespace {

// execve(2) takes pointers to char for the sake of C, and does not write there.
char* const* either(const char* const* replacement, char* const* planned) noexcept {
    return replacement != nullptr ? const_cast<char* const*>(replacement) : planned;
}

FailedExec try_candidates(const Child& child) noexcept {
    const ProgramPlan& program = child.plan.program;
    char* const* const handed = child.plan.hand_over.environment;
    return execute_first_of(
        child.search, either(child.replacement.arguments, program.arguments),
        either(child.replacement.environment, handed != nullptr ? handed : program.environment));
}

void tell_step_of_failed_execve(const Child& child, const ChildOperation& operation) noexcept {
    if (operation.exec_failed == nullptr || !*operation.exec_failed) {
        return;
    }
    FailureSlot unused;
    Replacement too_late;
    ChildSide side(unused, child.plan.parent.pid, child.plan.parent.pidfd, too_late);
    try {
        (void)(*operation.exec_failed)(side);
    } catch (...) {  // NOLINT(bugprone-empty-catch): the failed execve is what is reported
    }
}

void tell_steps_of_failed_execve(const Child& child, int error) noexcept {
    const OrderPlan& order = child.plan.order;
    for (std::size_t index = 0; index < order.operation_count; ++index) {
        errno = error;
        tell_step_of_failed_execve(child, order.operations[index]);
    }
    for (std::size_t index = 0; index < order.last_part_count; ++index) {
        errno = error;
        tell_step_of_failed_execve(child, order.last_parts[index]);
    }
}

}  // namespace

void settle_signal_mask(Child& child, std::uint32_t item) noexcept {
    if (child.plan.signals.sets_mask && !raw::set_mask(child.plan.signals.program_mask)) {
        child.fail({item, errno, "rt_sigprocmask"});
    }
}

// Whoever loses yields.
void commit(Child& child) noexcept {
    Commit expected = Commit::armed;
    if (!child.record.commit.compare_exchange_strong(expected, Commit::hot)) {
        Child::vanish();
    }
}

void execute(Child& child) noexcept {
    forget_stack();
    const auto [path, error] = try_candidates(child);
    FailureSlot& slot = child.record.child_failure;
    slot.item = child.plan.order.execve_item;
    slot.error = error;
    slot.call = KnownCall::other;
    // Before all that a filter may kill for: what exec_failed calls, and the search for the reason.
    child.report();
    tell_steps_of_failed_execve(child, error);
    slot.set_text(ExecDiagnosis(path, error).text());
    child.leave();
}

}  // namespace syncspawn::detail
