#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/boost/detail/polling.hpp>

namespace syncspawn::for_boost::detail {

enum class BarrierOperation { wait_next, sync, place_and_sync, wait_abortion };

/// A barrier and its outstanding operations, which share it: they may outlive the AsyncBarrier until their
/// handlers have run.
template <class Executor>
struct SharedBarrier {
    SharedBarrier(Executor its_executor, Barrier its_barrier, UniqueFd its_pidfd)
        : executor(std::move(its_executor)),
          pidfd(std::move(its_pidfd)),
          barrier(std::move(its_barrier)) {
        (void)barrier.watch_peer(pidfd.get());
    }
    void wake_all() {
        for (Waiter<Executor>* const waiter : *waiters) {
            waiter->wake();
        }
    }

    Executor executor;
    UniqueFd pidfd;
    Barrier barrier;
    std::uint64_t cancellations = 0;
    std::shared_ptr<typename Waiter<Executor>::Registry> waiters =
        std::make_shared<typename Waiter<Executor>::Registry>();
};

/// The task (see Polling) of each operation on a barrier.
template <class Executor>
class BarrierTask {
public:
    using Operation = BarrierOperation;
    using Shared = SharedBarrier<Executor>;

    BarrierTask(std::shared_ptr<Shared> shared, Operation operation,
                std::optional<Deadline> deadline)
        : shared_(std::move(shared)),
          operation_(operation),
          deadline_(deadline),
          seen_(shared_->barrier.status().seen),
          cancellations_(shared_->cancellations) {}

    template <class Self>
    void expects(Self& self) {
        if (operation_ == Operation::place_and_sync) {
            self.reset_cancellation_state(asio::enable_partial_cancellation());
        } else {
            self.reset_cancellation_state(asio::enable_total_cancellation());
        }
    }
    auto registry() { return shared_->waiters; }
    [[nodiscard]] bool is_cancelled() const { return cancellations_ != shared_->cancellations; }
    static bool cancel() { return true; }

    bool looks_done() {
        const BarrierStatus before = shared_->barrier.status();
        outcome_ = look();
        const BarrierStatus after = shared_->barrier.status();
        if (after.seen != before.seen || after.aborted_there != before.aborted_there) {
            shared_->wake_all();  // this has read what others may be waiting for
        }
        return outcome_ != Outcome::timed_out ||
               (deadline_ && std::chrono::steady_clock::now() >= *deadline_);
    }

    void watch(Waiter<Executor>& waiter) {
        if (!is_armed_) {
            is_armed_ = true;
            waiter.watch(deadline_);
        }
        const bool is_for_place = operation_ == Operation::place_and_sync && !has_placed_;
        const BarrierEvents wanted =
            is_for_place ? shared_->barrier.events_for_place() : shared_->barrier.events_for_wait();
        waiter.watch_only(wanted);
    }

    template <class Self>
    void complete(Self& self, error_code error) {
        if (!error && outcome_ == Outcome::failed) {
            error = error_code(shared_->barrier.error().value(), boost::system::system_category());
        }
        const Outcome outcome = error ? Outcome::failed : outcome_;
        shared_.reset();
        self.complete(error, outcome);
    }

private:
    Outcome look() {
        Barrier& barrier = shared_->barrier;
        switch (operation_) {
            case Operation::wait_next:
                // Another operation may have read it.
                return barrier.status().seen != seen_ ? Outcome::reached : barrier.try_wait_next();
            case Operation::wait_abortion:
                return barrier.try_wait_abortion();
            case Operation::place_and_sync:
                if (!has_placed_) {
                    const Outcome outcome = barrier.try_place();
                    if (outcome != Outcome::reached) {
                        return outcome;
                    }
                    has_placed_ = true;
                }
                break;
            case Operation::sync:
                break;
        }
        return barrier.try_sync();
    }

    std::shared_ptr<Shared> shared_;
    Operation operation_;
    std::optional<Deadline> deadline_;
    std::int64_t seen_;
    std::uint64_t cancellations_;
    Outcome outcome_ = Outcome::timed_out;
    bool has_placed_ = false;
    bool is_armed_ = false;
};

}  // namespace syncspawn::for_boost::detail
