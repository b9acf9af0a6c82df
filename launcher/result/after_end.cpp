#include "after_end.hpp"

#include <optional>

#include "part_ending.hpp"

namespace syncspawn::detail {

AfterEnd& AfterEnd::operator=(AfterEnd&& other) noexcept {
    if (this != &other) {
        forget();
        parts_ = std::exchange(other.parts_, {});
        failures_ = std::move(other.failures_);
    }
    return *this;
}

void AfterEnd::forget() noexcept {
    while (!parts_.empty()) {
        parts_.pop_back();
    }
}

// Each is taken off the list first: it may itself ask for the status, and so get here again.
void AfterEnd::run(pid_t program) {
    while (!parts_.empty()) {
        const Part part = std::move(parts_.back());
        parts_.pop_back();
        run_one(part, program);
    }
}

void AfterEnd::run_one(const Part& part, pid_t program) {
    FailureSlot slot;
    PartCall call{.step = part.step, .state = part.state, .is_child_gone = true};
    ParentSide side(slot, program, -1, std::nullopt, call);
    const PartEnding ending = ending_of(part.step->after_end, side);
    if (ending.is_failure()) {
        failures_ += (failures_.empty() ? "'" : "; '") + part.step->name +
                     "' failed after the end: " + in_words(ending, slot);
    }
}

}  // namespace syncspawn::detail
