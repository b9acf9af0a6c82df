#include "child.hpp"

#include <unistd.h>

namespace syncspawn::detail {
namespace {

constexpr int exit_code_of_failure = 125;

}  // namespace

void Child::fail(const Failed& failed) noexcept {
    FailureSlot& slot = record.child_failure;
    slot.item = failed.item;
    slot.error = failed.error;
    if (failed.text != nullptr) {
        slot.set_text(failed.text);
        slot.call = failed.call;
    }
    report();
    leave();
}

void Child::report() noexcept { record.claim(WhichSide::child); }

// The report first, the abort second: who sees the abort finds the report.
void Child::leave() noexcept {
    if (barrier.is_open()) {
        (void)barrier.abort();
    }
    vanish();
}

void Child::vanish() noexcept { _exit(exit_code_of_failure); }

void Child::leave_if_told_to(std::uint32_t item) noexcept {
    if (barrier.is_open()) {
        leave_if_aborted(barrier.poll_now(), item);
    }
}

void Child::leave_if_aborted(Outcome outcome, std::uint32_t item) noexcept {
    switch (outcome) {
        case Outcome::reached:
        case Outcome::timed_out:  // of poll_now: places are owed, which is no concern here
            return;
        case Outcome::failed:
            fail({item, barrier.error().value(), "barrier"});
        default:
            vanish();
    }
}

}  // namespace syncspawn::detail
