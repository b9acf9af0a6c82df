#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/launcher/spawn_error.hpp>

#include "contact.hpp"
#include "launcher/child/launch_record.hpp"
#include "launcher/plan/definition.hpp"
#include "launcher/plan/descriptor_setup.hpp"
#include "launcher/plan/launch_record_memory.hpp"
#include "launcher/plan/standard_streams.hpp"
#include "launcher/readiness/readiness.hpp"
#include "launcher/result/child_handle.hpp"
#include "launcher/result/kill_reach.hpp"
#include "launcher/result/program_state.hpp"
#include "launcher/start/start_child.hpp"
#include "sent_descriptors.hpp"
#include "waiter.hpp"

namespace syncspawn::detail {

// The child of one launch, and all that was opened, mapped or lent for it: what it may look at stays where
// it is until it has left this process's memory.
class LaunchedChild {
public:
    explicit LaunchedChild(std::shared_ptr<const Definition> definition)
        : definition_(std::move(definition)), sent_(definition_->schedule) {}
    // The child is buried or left behind by then, or the handle taken.
    ~LaunchedChild();
    LaunchedChild(const LaunchedChild&) = delete;
    LaunchedChild& operator=(const LaunchedChild&) = delete;

    // Both throw std::system_error. Why there is no child, if there is none.
    void open();
    std::optional<SpawnError::Facts> start(const Waiter& waiter, Readiness* readiness);

    [[nodiscard]] const ChildHandle& handle() const noexcept { return handle_; }
    [[nodiscard]] StandardStreams& streams() noexcept { return streams_; }
    [[nodiscard]] const StandardStreams& streams() const noexcept { return streams_; }
    [[nodiscard]] SentDescriptors& sent() noexcept { return sent_; }
    // That it is to be born into; -1: this process's. Until it is opened, a step may choose it.
    [[nodiscard]] int& cgroup() noexcept { return cgroup_; }
    [[nodiscard]] Barrier& barrier() noexcept { return barrier_; }
    [[nodiscard]] const Barrier& barrier() const noexcept { return barrier_; }
    [[nodiscard]] Contact& contact() noexcept { return contact_; }
    [[nodiscard]] bool has_record() const noexcept { return record_memory_ != nullptr; }
    [[nodiscard]] LaunchRecord& record() const noexcept { return **record_memory_; }
    [[nodiscard]] StartMethod start_method() const noexcept { return start_method_; }
    // It passed the last rendezvous by itself.
    [[nodiscard]] bool went_alone() const noexcept { return went_alone_; }
    // It shared this process's memory, and does not any more, as far as that is known: nobody need wait for it.
    [[nodiscard]] bool has_left_memory() const noexcept {
        return left_memory_at_start_ || (contact_.goes_by_words() && loan_.is_over());
    }
    // There is none yet, or none any more, or it is one of the process that asks.
    [[nodiscard]] bool is_of_this_process() const noexcept {
        return handle_.pid() < 0 || handle_.status() || handle_.is_ours();
    }
    [[nodiscard]] bool is_there() const noexcept { return handle_.pid() > 0 && !handle_.status(); }

    // The program gets the barrier.
    [[nodiscard]] bool hands_over_barrier() const noexcept {
        return definition_->plan.hands_over();
    }
    // Hung up by its execve, and by its death.
    [[nodiscard]] int end_of_setup() const noexcept;
    // Where it is, by its own account.
    [[nodiscard]] std::uint32_t item() const;
    [[nodiscard]] bool has_claimed() const noexcept;
    // It gave itself leave to execute, and has claimed no failure.
    [[nodiscard]] bool is_through() const noexcept;
    // After the end of the setup, or while that is still hidden.
    [[nodiscard]] Execution execution() const;
    // It may still be on its way through execve, but cannot fail there any more.
    [[nodiscard]] bool is_running() const;

    // After execve.
    void note_execve() noexcept;
    void leave_in(Process::State& state);
    // After its end.
    void reap();
    // It does not end; why.
    std::string leave_behind();
    // In a copy of the process that launched.
    void forget_loan() noexcept { loan_.forget(); }
    // Buried or left behind, it is nobody's any more.
    void drop() noexcept { handle_ = ChildHandle(); }

private:
    [[nodiscard]] bool needs_barrier(StartMethod method, Caller caller) const noexcept;
    void open_barrier();
    StartedChild start_by(StartMethod method, Caller caller, Starter starter);
    [[nodiscard]] SpawnError::Facts why_not(const StartedChild& none) const;

    std::shared_ptr<const Definition> definition_;
    StandardStreams streams_;  // until there is a Process
    SentDescriptors sent_;
    int cgroup_ = definition_->options.birth.cgroup;
    std::optional<DescriptorSetup> descriptors_;
    Barrier barrier_;  // not open: they meet by words, or there is nobody to meet
    bool may_go_by_words_ = false;
    HandOverPlan hand_over_{};
    std::unique_ptr<LaunchRecordMemory> record_memory_;
    bool is_record_lost_ = false;  // the child may still use it
    Plan plan_{};
    KillReach kill_reach_;  // until there is a child
    ChildHandle handle_;
    Loan loan_;
    StartMethod start_method_ = StartMethod::copied_memory;
    bool went_alone_ = false;
    bool left_memory_at_start_ = false;
    Contact contact_{barrier_, handle_};
};

}  // namespace syncspawn::detail
