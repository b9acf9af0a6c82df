#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

#include "launcher/child/known_call.hpp"
#include "launcher/child/launch_record.hpp"
#include "launcher/plan/definition.hpp"
#include "launcher/plan/descriptor_setup.hpp"
#include "launcher/plan/launch_record_memory.hpp"
#include "launcher/result/child_handle.hpp"
#include "launcher/result/program_state.hpp"
#include "launcher/result/trace.hpp"
#include "launcher/start/start_child.hpp"
#include "watch.hpp"

namespace syncspawn::detail {

// The course of one launch, the parent's side of it. launcher/README.md has the sequences. It goes on
// as far as it can, and is called again when what it waits for is there: by spawn(), which lets it
// wait itself, or by somebody's event loop. course.cpp goes forward, course_end.cpp unwinds.
class Course {
public:
    enum class Waits {
        inside,  // advance() blocks until the launch is over
        outside  // advance() never blocks
    };
    Course(std::shared_ptr<const Definition> definition, Waits waits);
    // Ends a child that is still under way, and waits for its end; but not in a copy of this process.
    ~Course();
    Course(const Course&) = delete;
    Course& operator=(const Course&) = delete;

    // True once it is over. Until then, with Waits::outside: to be called again when the descriptor is
    // readable, and any number of times in between.
    bool advance();
    [[nodiscard]] bool is_over() const noexcept { return phase_ == Phase::over; }
    [[nodiscard]] int descriptor() const noexcept { return watch_ ? watch_->descriptor() : -1; }
    // Whether there is no child yet, or any more, or it is one of the process that asks.
    [[nodiscard]] bool is_of_this_process() const noexcept {
        return child_.pid() < 0 || child_.status() || child_.is_ours();
    }
    // Gives up: advance() goes on until the child is gone. Nothing happens if it is over.
    void cancel();
    // Once, after it is over.
    Process take_result(SpawnError& error);

private:
    enum class Phase {
        preparation,
        parts,      // the items of the parent
        execve,     // until the program runs
        readiness,  // until it has placed
        hang_up,    // gone from the barrier, but not yet from the process table
        grace,      // told to end
        death,      // killed
        over,
    };
    // What await() may come to, beside those of wait_for_any().
    static constexpr int not_yet = wait_failed - 1;
    enum class Progress { waits, goes_on };

    // What the parent knows of a failure; where the child failed, its report is read later.
    struct Failure {
        WhichSide side = WhichSide::child;
        std::uint32_t item = 0;
        Cause cause = Cause::none;
        int error = 0;
        std::string detail{};
        KnownCall call = KnownCall::none;
    };

    Progress pass();
    int await(const Events& events, const std::optional<Deadline>& deadline);
    [[nodiscard]] LaunchRecord& record() const noexcept { return **record_memory_; }
    [[nodiscard]] Trace trace() const;

    // Forward.
    Progress prepare();
    void start();
    StartedChild start_by(StartMethod method);
    Progress pass_parts();
    [[nodiscard]] std::optional<Failure> run_part(std::uint32_t item);
    [[nodiscard]] std::optional<Failure> after_meeting(std::uint32_t item, Outcome outcome) const;
    // None while it waits.
    std::optional<Outcome> place_and_sync(const std::optional<Deadline>& deadline);
    [[nodiscard]] std::optional<Failure> judge(Outcome outcome, std::uint32_t item,
                                               Outcome also_fine) const;
    Progress await_execve();
    [[nodiscard]] bool is_running() const;
    [[nodiscard]] Execution execution() const;
    Progress await_readiness();
    [[nodiscard]] std::optional<Failure> after_readiness(Outcome outcome) const;
    [[nodiscard]] std::string says_whether_attached() const;
    void make_process();

    [[nodiscard]] bool is_late() const;
    [[nodiscard]] bool is_cancelled() const;
    [[nodiscard]] static Failure cancellation(WhichSide side, std::uint32_t item);
    [[nodiscard]] std::uint32_t childs_item() const;
    [[nodiscard]] Failure late_child() const;
    [[nodiscard]] std::string not_done_in_time() const;
    [[nodiscard]] Failure failed_wait(std::uint32_t item) const;

    // The way back.
    void fail(SpawnError error);
    Progress fail(Failure own);
    [[nodiscard]] bool ended_as_a_program() const;
    Progress await_end(const std::optional<Deadline>& deadline);
    void tell_to_end();
    void kill();
    void reap();
    void leave_behind();
    void undo();
    [[nodiscard]] SpawnError conclude() const;
    [[nodiscard]] SpawnError::Facts facts_of(const Failure& failure) const;
    [[nodiscard]] SpawnError::Facts childs_report() const;
    [[nodiscard]] SpawnError::Facts end_of_child() const;

    std::shared_ptr<const Definition> definition_;
    const SpawnOptions& options_;
    const Schedule& schedule_;
    const std::int64_t began_ = monotonic_now();
    const Waits waits_;
    std::optional<Watch> watch_;  // with Waits::outside
    Phase phase_ = Phase::preparation;

    std::unique_ptr<LaunchRecordMemory> record_memory_;
    std::optional<DescriptorSetup> descriptors_;
    Barrier barrier_;
    KillReach kill_reach_;  // until there is a child
    ChildHandle child_;
    std::optional<Deadline> deadline_;        // of the setup
    std::optional<Deadline> phase_deadline_;  // of readiness, and on the way back
    std::size_t next_ = 0;                    // of the parent's items
    bool is_inside_ = false;                  // the item or phase has begun
    bool has_placed_ = false;                 // of place and sync, the first half is done
    bool cancelled_ = false;
    bool is_inside_a_pass_ = false;
    bool is_to_be_cancelled_ = false;
    std::chrono::nanoseconds pause_{};  // between two looks at a program that may run already

    Failure own_;
    bool has_run_ = false;  // the program, when it failed
    bool child_died_first_ = false;
    bool ended_by_itself_ = false;
    bool never_executed_ = false;
    bool is_record_lost_ = false;    // the child may still use it
    std::vector<const Step*> done_;  // whose parent part succeeded
    std::string undo_failures_;
    std::string why_it_survived_;  // SIGKILL; empty: it did not

    Process process_;
    SpawnError error_;

    // What the child may look at until it has left this memory.
    Plan plan_{};
    std::vector<char*> environment_;
    Loan loan_;
    bool has_left_memory_ = false;  // that it shared with this process, at the start already
    StartMethod start_method_ = StartMethod::copied_memory;
    int wait_error_ = 0;  // of a wait of its own, if that failed
};

}  // namespace syncspawn::detail
