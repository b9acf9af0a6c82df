#include "parent_parts.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <iterator>
#include <utility>

#include "launcher/result/told_code.hpp"

namespace syncspawn::detail {
namespace {

constexpr std::size_t most_waits_noted = 100;

// What came out of a callable of the user: an error, or an exception in words.
struct Ending {
    std::error_code error{};
    std::optional<std::string> exception{};
};

Ending ending_of(const ParentPart& part, ParentSide& side) {
    try {
        return {part(side)};
    } catch (const std::exception& exception) {
        return {{}, exception.what()};
    } catch (...) {
        return {{}, "not a std::exception"};
    }
}

Failure failure_of(const SentDescriptors::Fault& fault, std::uint32_t item) {
    return {WhichSide::parent, item, Cause::error, fault.error, fault.what, KnownCall::other};
}

Failure failure_of(const Ending& ending, const FailureSlot& slot, std::uint32_t item) {
    if (ending.exception) {
        return {WhichSide::parent, item, Cause::exception, ECANCELED, *ending.exception};
    }
    if (is_not_yet(ending.error)) {  // no error that anybody else knows
        return {WhichSide::parent, item, Cause::error, ECANCELED, ending.error.message()};
    }
    return {WhichSide::parent, item,      Cause::error, errno_of(ending.error),
            slot.text,         slot.call, ending.error};
}

// Of an undo that failed.
std::string in_words(const Ending& ending, const FailureSlot& slot) {
    if (ending.exception) {
        return *ending.exception;
    }
    const std::string call = slot.text;
    return (call.empty() ? "" : call + ": ") + ending.error.message();
}

}  // namespace

ParentParts::Answer ParentParts::call(std::uint32_t item, const ChildHandle& child,
                                      const std::optional<Deadline>& setup_deadline) {
    done_.reserve(schedule_.parent.size() + schedule_.after_execve.size());
    const Item& its_item = schedule_.items[item];
    const Step& step = *its_item.step;
    FailureSlot slot;
    if (step.sends_descriptors > 0) {
        sent_.read();
    }
    if (sent_.fault()) {
        failure_ = failure_of(*sent_.fault(), item);
        return Answer::failed;
    }
    PartCall call{.step = &step,
                  .wait = {.is_past_deadline = std::exchange(wait_, {}).is_past_deadline},
                  .state = take_state(step),
                  .streams = &streams_,
                  .sent = &sent_};
    ParentSide side(slot, child.pid(), child.pidfd(), setup_deadline, call);
    const Ending ending =
        ending_of(its_item.kind == ItemKind::step ? step.parent : step.after_execve, side);
    keep_state(step, std::move(call.state));
    const bool waits = is_not_yet(ending.error) && call.wait.is_asked_for;
    if (sent_.fault()) {  // found by the part, whatever it made of that
        failure_ = failure_of(*sent_.fault(), item);
        return Answer::failed;
    }
    if (!waits && (ending.error || ending.exception)) {
        failure_ = failure_of(ending, slot, item);
        return Answer::failed;
    }
    note_done(step);
    if (!waits) {
        return Answer::done;
    }
    wait_ = call.wait;
    note_wait(item);
    return Answer::waits;
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

std::string ParentParts::undo_all(pid_t child) {
    std::string failures;
    // Of a part that failed at once: what it keeps is the latest, and may rest on what others did.
    std::erase_if(kept_, [&](const auto& kept) {
        return std::find(done_.begin(), done_.end(), kept.first) == done_.end();
    });
    for (; !done_.empty(); done_.pop_back()) {
        const Step& step = *done_.back();
        PartCall call{.step = &step, .state = take_state(step)};  // destroyed behind its undo
        if (!step.undo) {
            continue;
        }
        FailureSlot slot;
        ParentSide side(slot, child, -1, std::nullopt, call);
        const Ending ending = ending_of(step.undo, side);
        if (ending.exception || ending.error) {
            failures += "; undoing '" + step.name + "' failed: " + in_words(ending, slot);
        }
    }
    return failures;
}

void ParentParts::forget() noexcept {
    while (!kept_.empty()) {
        kept_.erase(std::prev(kept_.end()));
    }
}

}  // namespace syncspawn::detail
