#include "parent_parts.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "launcher/result/part_ending.hpp"
#include "launcher/result/told_code.hpp"

namespace syncspawn::detail {
namespace {

constexpr std::size_t most_waits_noted = 100;

const ParentPart& part_of(const Item& item) noexcept {
    switch (item.kind) {
        case ItemKind::before_start:
            return item.step->before_start;
        case ItemKind::after_execve:
            return item.step->after_execve;
        default:
            return item.step->parent;
    }
}

Failure failure_of(const SentDescriptors::Fault& fault, std::uint32_t item) {
    return {WhichSide::parent, item, Cause::error, fault.error, fault.what, KnownCall::other};
}

Failure failure_of(const PartEnding& ending, const FailureSlot& slot, std::uint32_t item) {
    if (ending.exception) {
        return {WhichSide::parent,
                item,
                Cause::exception,
                errno_of(ending.error),
                *ending.exception,
                KnownCall::none,
                ending.error ? std::optional(ending.error) : std::nullopt};
    }
    if (is_not_yet(ending.error)) {  // no error that anybody else knows
        return {WhichSide::parent, item, Cause::error, ECANCELED, ending.error.message()};
    }
    return {WhichSide::parent, item,      Cause::error, errno_of(ending.error),
            slot.text,         slot.call, ending.error};
}

}  // namespace

ParentParts::Answer ParentParts::call(std::uint32_t item,
                                      const std::optional<Deadline>& setup_deadline) {
    done_.reserve(schedule_.before_start.size() + schedule_.parent.size() +
                  schedule_.after_execve.size());
    const Item& its_item = schedule_.items[item];
    const Step& step = *its_item.step;
    if (step.sends_descriptors > 0) {
        child_.sent().read();
    }
    if (is_refused(item)) {
        return Answer::failed;
    }
    const bool has_child = its_item.kind != ItemKind::before_start;
    FailureSlot slot;
    PartCall call{.step = &step,
                  .wait = {.is_past_deadline = std::exchange(wait_, {}).is_past_deadline},
                  .state = take_state(step),
                  .streams = has_child ? &child_.streams() : nullptr,
                  .sent = has_child ? &child_.sent() : nullptr,
                  .cgroup = has_child ? nullptr : &child_.cgroup()};
    const ChildHandle& child = child_.handle();
    ParentSide side(slot, child.pid(), child.pidfd(), setup_deadline, call);
    const PartEnding ending = ending_of(part_of(its_item), side);
    keep_state(step, std::move(call.state));
    const bool waits = !ending.exception && is_not_yet(ending.error) && call.wait.is_asked_for;
    if (!waits && ending.is_failure()) {
        failure_ = failure_of(ending, slot, item);
        (void)is_refused(item);  // as the part has found
        return Answer::failed;
    }
    note_done(step);
    if (is_refused(item)) {
        return Answer::failed;
    }
    if (!waits) {
        return Answer::done;
    }
    wait_ = call.wait;
    note_wait(item);
    return Answer::waits;
}

// What the child has sent is not what the steps say.
bool ParentParts::is_refused(std::uint32_t item) {
    const auto& fault = child_.sent().fault();
    if (fault) {
        failure_ = failure_of(*fault, item);
    }
    return fault.has_value();
}

// One with parts before and behind execve is undone once, in the place of the first.
void ParentParts::note_done(const Step& step) {
    if (std::find(done_.begin(), done_.end(), &step) == done_.end()) {
        done_.push_back(&step);
    }
}

PartState ParentParts::take_state(const Step& step) {
    const auto kept = kept_.find(&step);
    return kept != kept_.end() ? std::exchange(kept->second, {}) : PartState{};
}

void ParentParts::keep_state(const Step& step, PartState state) {
    if (state.value != nullptr) {
        kept_[&step] = std::move(state);
    }
}

// Again and again for the same is one wait. A part that looks now for this and now for that, for hours, must not fill
// the memory.
void ParentParts::note_wait(std::uint32_t item) {
    if (waits_.size() == most_waits_noted) {
        return;
    }
    if (waits_.empty() || waits_.back().item != item ||
        waits_.back().descriptor != wait_.descriptor) {
        waits_.push_back({item, monotonic_now(), wait_.descriptor});
    }
}

std::string ParentParts::undo_all() {
    std::string failures;
    // Of a part that failed at once: what it keeps is the latest, and may rest on what others did.
    std::erase_if(kept_, [&](const auto& kept) {
        return std::find(done_.begin(), done_.end(), kept.first) == done_.end();
    });
    const bool had_child = child_.handle().pid() > 0;
    for (; !done_.empty(); done_.pop_back()) {
        const Step& step = *done_.back();
        PartCall call{.step = &step,
                      .state = take_state(step),  // destroyed behind its undo
                      .sent = had_child ? &child_.sent() : nullptr,
                      .is_child_gone = had_child};
        if (!step.undo) {
            continue;
        }
        FailureSlot slot;
        ParentSide side(slot, child_.handle().pid(), -1, std::nullopt, call);
        const PartEnding ending = ending_of(step.undo, side);
        if (ending.is_failure()) {
            failures += "; undoing '" + step.name + "' failed: " + in_words(ending, slot);
        }
    }
    return failures;
}

AfterEnd ParentParts::hand_over() {
    std::vector<AfterEnd::Part> parts;
    for (const Step* const step : schedule_.after_end) {
        parts.push_back({step, take_state(*step)});
    }
    return AfterEnd(std::move(parts));
}

void ParentParts::forget() noexcept {
    while (!kept_.empty()) {
        kept_.erase(std::prev(kept_.end()));
    }
}

}  // namespace syncspawn::detail
