#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>

#include "launched_child.hpp"
#include "launcher/plan/schedule.hpp"
#include "launcher/result/after_end.hpp"
#include "launcher/result/trace.hpp"
#include "verdict.hpp"

namespace syncspawn::detail {

// What ParentSide::wait_for() returns.
bool is_not_yet(const std::error_code& error) noexcept;

// The parent's parts of one launch: calls them, keeps what they keep, and takes back what they did.
class ParentParts {
public:
    enum class Answer { done, waits, failed };

    ParentParts(const Schedule& schedule, LaunchedChild& child) noexcept
        : schedule_(schedule), child_(child) {}

    // The same item again after it has answered that it waits.
    Answer call(std::uint32_t item, const std::optional<Deadline>& setup_deadline);
    // After `waits`: for what.
    [[nodiscard]] PartWait& wait() noexcept { return wait_; }
    // After `failed`.
    [[nodiscard]] Failure take_failure() { return std::move(failure_); }

    // Of the steps that have done something, last first. What went wrong, in words to follow the error's.
    std::string undo_all();
    // The launch has succeeded: what is left to do after the end of the program, with what it keeps for that.
    [[nodiscard]] AfterEnd hand_over();
    // The launch is over: what they keep ends, last first.
    void forget() noexcept;

    [[nodiscard]] const std::vector<Trace::Wait>& waits() const noexcept { return waits_; }

private:
    [[nodiscard]] bool is_refused(std::uint32_t item);
    PartState take_state(const Step& step);
    void keep_state(const Step& step, PartState state);
    void note_done(const Step& step);
    void note_wait(std::uint32_t item);

    const Schedule& schedule_;
    LaunchedChild& child_;
    Failure failure_;
    PartWait wait_;
    std::vector<const Step*> done_;  // a part has succeeded, or has begun to wait
    // In the order of the steps, which lie in one array.
    std::map<const Step*, PartState, std::less<>> kept_;
    std::vector<Trace::Wait> waits_;
};

}  // namespace syncspawn::detail
