#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <syncspawn/launcher/launch_wait.hpp>
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

#include "barrier/linux/own_pid.hpp"
#include "launched_child.hpp"
#include "launcher/plan/definition.hpp"
#include "launcher/readiness/captured_output.hpp"
#include "launcher/readiness/readiness.hpp"
#include "launcher/result/trace.hpp"
#include "parent_parts.hpp"
#include "unwinding.hpp"
#include "verdict.hpp"
#include "waiter.hpp"

namespace syncspawn::detail {

// The course of one launch, the parent's side of it. launcher/README.md has the sequences. It goes on
// as far as it can, and is called again when what it waits for is there: by spawn(), whose waiter
// sleeps until then, or by somebody's event loop.
class Course {
public:
    Course(std::shared_ptr<const Definition> definition, Waiter::Manner manner,
           Deadline deadline_of_all = Deadline::max());
    // Ends a child that is still under way, and waits for its end; but not in a copy of this process.
    ~Course();
    Course(const Course&) = delete;
    Course& operator=(const Course&) = delete;

    // True once it is over. Until then, with Waiter::Manner::looks: to be called again when the descriptor
    // is readable, and any number of times in between.
    bool advance();
    [[nodiscard]] bool is_over() const noexcept { return phase_ == Phase::over; }
    [[nodiscard]] int descriptor() const noexcept { return waiter_.descriptor(); }
    // Whether there is no child yet, or any more, or it is one of the process that asks.
    [[nodiscard]] bool is_of_this_process() const noexcept {
        return has_begun_without_child() ? owner_ == own_pid() : child_.is_of_this_process();
    }
    // There is a child, or was one.
    [[nodiscard]] bool has_started() const noexcept {
        return phase_ >= Phase::items && !without_child_;
    }
    // The item that keeps it, and since when.
    [[nodiscard]] LaunchWait waits_for() const;
    [[nodiscard]] Timeline timeline() const;
    // Gives up: advance() goes on until the child is gone. Nothing happens if it is over.
    void cancel();
    // Whether its program runs and nothing else is left to do, although nobody has looked yet; calls no
    // part. Then it is over.
    bool turns_out_to_be_over();
    // The caller's end of a pipe, while there is a child. Throws std::logic_error.
    UniqueFd take_stream(int number);
    // Once, after it is over.
    Process take_result(SpawnError& error);

private:
    enum class Phase {
        opening,
        before_start,
        preparation,
        items,
        execve,
        after_execve,
        readiness,
        unwinding,
        over
    };
    // What a phase came to. `turned`: it has failed, and another phase is entered.
    enum class Progress { waits, done, turned };

    // Phase by phase: course.cpp.
    Progress pass();
    [[nodiscard]] Phase next_phase() const;
    [[nodiscard]] bool program_runs() const noexcept {
        return phase_ == Phase::after_execve || phase_ == Phase::readiness;
    }
    [[nodiscard]] bool has_begun_without_child() const noexcept {
        return phase_ == Phase::before_start || without_child_;
    }
    void enter_next_phase();
    Progress open();
    Progress prepare();
    Progress pass_items(const std::vector<std::uint32_t>& items);
    Progress await_execve();
    Waiter::Woken wait_for_execve(Deadline until);
    Progress after_execve();
    Progress await_readiness();
    Progress after_readiness(Readiness::Answer answer);
    void make_process();

    // The parent's items: course_items.cpp.
    void note_begin(std::uint32_t item);
    void note_end(std::uint32_t item);
    Progress pass_part(std::uint32_t item);
    Progress await_part(std::uint32_t item);
    Progress after_part(std::uint32_t item);
    Progress meet(std::uint32_t item);
    Progress after_meeting(std::uint32_t item, Outcome outcome);
    Progress look_at_child(std::uint32_t item);
    Progress judge(Outcome outcome, std::uint32_t item);

    // What ends it early: course_failure.cpp.
    [[nodiscard]] bool is_late() const;
    [[nodiscard]] bool is_cancelled() const;
    std::optional<Progress> stop_at(Waiter::Woken woken, WhichSide side, std::uint32_t item);
    Progress fail(Failure own);
    Progress fail_without_child(SpawnError::Facts facts);
    Progress fail_without_child(const std::system_error& failure);
    [[nodiscard]] std::string in_time(std::optional<std::chrono::nanoseconds> limit) const;
    [[nodiscard]] std::chrono::nanoseconds time_of_child_in(std::uint32_t item) const;
    [[nodiscard]] LaunchWait waits_for_child() const;
    [[nodiscard]] LaunchWait waits_for_part(std::uint32_t item) const;
    [[nodiscard]] Failure late_child() const;
    [[nodiscard]] Failure late_before(std::uint32_t item) const;
    [[nodiscard]] Failure late(WhichSide side, std::uint32_t item, const std::string& what) const;
    [[nodiscard]] Failure late_program() const;
    [[nodiscard]] Failure stuck_program(const std::string& where) const;
    Progress unwind();
    [[nodiscard]] std::string last_words() const;
    [[nodiscard]] SpawnError conclude(std::string undo_failures) const;
    [[nodiscard]] Trace trace() const;

    std::shared_ptr<const Definition> definition_;
    const SpawnOptions& options_;
    const Schedule& schedule_;
    const std::int64_t began_ = monotonic_now();
    pid_t owner_ = -1;  // since it has begun

    Phase phase_ = Phase::opening;
    std::size_t next_ = 0;    // of the parent's items in this phase
    bool has_begun_ = false;  // the next item, or the phase if it has none
    Deadline deadline_of_all_;
    std::optional<Deadline> deadline_;  // of the setup
    std::optional<Deadline> phase_deadline_;
    std::chrono::nanoseconds pause_{};  // between two looks at a program that may run already

    bool is_in_a_pass_ = false;
    bool is_to_be_cancelled_ = false;  // by a part of the parent, after the pass

    LaunchedChild child_;
    Waiter waiter_;
    ParentParts parts_;
    std::vector<Trace::Moments> before_start_;  // of the items that were before there was a record
    std::optional<SpawnError::Facts> without_child_;  // why there is none
    CapturedOutput output_;
    std::unique_ptr<Readiness> readiness_;  // null: the program has no part in the launch
    Unwinding unwinding_;

    Process process_;
    SpawnError error_;
};

}  // namespace syncspawn::detail
