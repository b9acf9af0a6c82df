#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <syncspawn/launcher/exit_status.hpp>
#include <syncspawn/launcher/spawn_error.hpp>
#include <syncspawn/launcher/spawn_options.hpp>

#include "launcher/child/known_call.hpp"
#include "launcher/child/launch_record.hpp"
#include "launcher/plan/schedule.hpp"
#include "launcher/result/spawn_error_facts.hpp"

namespace syncspawn::detail {

// A failure as the parent saw it, in an item of the schedule.
struct Failure {
    WhichSide side = WhichSide::child;
    std::uint32_t item = 0;
    Cause cause = Cause::none;
    int error = 0;
    std::string detail{};
    KnownCall call = KnownCall::none;
    std::optional<std::error_code> code{};  // of a part, where that is more than the errno

    // The barrier was aborted, or the child is gone: its report, or its end, says why.
    static Failure told_by_the_child() { return {}; }
    [[nodiscard]] bool is_told_by_the_child() const noexcept { return cause == Cause::none; }
    static Failure cancellation(WhichSide side, std::uint32_t item) {
        return {side, item, Cause::cancelled, ECANCELED, "the launch was cancelled"};
    }
    static Failure of_a_wait(std::uint32_t item, int error, std::string call) {
        return {WhichSide::parent, item, Cause::error, error, std::move(call), KnownCall::other};
    }
};

// All that is known of a failed launch once its child is gone.
struct Evidence {
    Failure own = Failure::told_by_the_child();
    bool child_died_first = false;         // before the own failure, which may be due to that
    std::optional<FailureSlot> claimed{};  // a copy, if the child's failure was the first
    std::uint32_t childs_item = 0;         // where it was last, by its own account
    bool program_has_run = false;          // seen to, before the failure
    bool never_executed = false;           // seen not to, after the end
    bool ended_by_itself = false;          // and was not made to
    std::optional<ExitStatus> status{};
    std::string why_it_survived{};  // SIGKILL; empty: it did not
};

// The first cause wins: what the child claimed, then the parent's own failure, then the child's end. From the
// evidence alone; without the child's pid, a hint, the timeline and what came of the undoing.
SpawnError::Facts verdict(const Evidence& evidence, const Schedule& schedule);

}  // namespace syncspawn::detail
