#pragma once

#include <chrono>
#include <optional>

#include "launched_child.hpp"
#include "verdict.hpp"
#include "waiter.hpp"

namespace syncspawn::detail {

// The end of a failed launch: the child is seen to end, or told to, killed after a grace, and buried. Gathers
// the evidence on the way.
class Unwinding {
public:
    Unwinding(LaunchedChild& child, Waiter& waiter, std::chrono::nanoseconds abort_grace) noexcept
        : child_(child), waiter_(waiter), abort_grace_(abort_grace) {}

    enum class Program { may_have_run, has_run };
    // `limit`: of the wait for a child that is going to end by itself.
    void begin(Failure own, Program program, const std::optional<Deadline>& limit);
    // True once there is no child, or none that can be ended.
    bool advance();
    // The same from wherever it is, if it has begun or not, without regard to an event loop.
    void finish_now(Program program);

    [[nodiscard]] const Evidence& evidence() const noexcept { return evidence_; }

private:
    enum class Stage {
        hang_up,  // gone from the barrier, but not yet from the process table
        grace,    // told to end
        death,    // killed
        burial,
    };

    [[nodiscard]] bool ended_as_a_program() const;
    void tell_to_end();
    void kill();
    void bury(bool has_ended);

    LaunchedChild& child_;
    Waiter& waiter_;
    std::chrono::nanoseconds abort_grace_;
    Stage stage_ = Stage::hang_up;
    std::optional<Deadline> deadline_;
    Evidence evidence_;
};

}  // namespace syncspawn::detail
