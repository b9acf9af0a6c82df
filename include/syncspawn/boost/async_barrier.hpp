#pragma once

#include <fcntl.h>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/process.hpp>

/// syncspawn::for_boost::AsyncBarrier: one side of a barrier for an event loop of Asio.
///
///     syncspawn::for_boost::AsyncBarrier barrier(context, child);      // of a Process, in the parent
///     syncspawn::for_boost::AsyncBarrier barrier(context, syncspawn::attach());      // in the program
///     syncspawn::Outcome outcome = co_await barrier.async_sync(asio::use_awaitable);

namespace syncspawn::for_boost {

/// Owns a Barrier. Every operation takes any completion token for void(error_code, Outcome), and a
/// deadline before it if it shall end with Outcome::timed_out at that time.
///
/// Results. The Outcome says how it ended, an abort or a death of the peer included: those are no errors.
/// The error code is set only with Outcome::failed: to operation_aborted after a cancellation, to the
/// barrier's own error(), or to that of a call that the operation needs (EMFILE ...).
///
/// Cancellation. Each takes terminal, partial and total, but async_place_and_sync not total, since its
/// place stays. A cancelled operation leaves the barrier usable. cancel() and the destructor end all.
///
/// Threads. As an Asio object: one thread or strand at a time. Several operations may be outstanding at
/// once, and each that asks for it sees a place of the peer. Nothing completes within the call that
/// began it; no thread is used. O_NONBLOCK of the barrier's descriptors stays as it is.
template <class Executor = asio::any_io_executor>
class BasicAsyncBarrier {
public:
    using executor_type = Executor;  // NOLINT(readability-identifier-naming): Asio's name for it

    /// Takes a side over. `peer_pidfd`: a second witness of the peer's death, or none.
    BasicAsyncBarrier(Executor executor, Barrier barrier, UniqueFd peer_pidfd = {})
        : shared_(std::make_shared<Shared>(std::move(executor), std::move(barrier),
                                           std::move(peer_pidfd))) {}
    /// Takes the barrier out of a process to which it was handed over; std::logic_error if it was not.
    BasicAsyncBarrier(Executor executor, Process& process)
        : BasicAsyncBarrier(std::move(executor), process.take_barrier(),
                            UniqueFd(fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 3))) {}
    template <class Context, class... Source>
    requires std::is_convertible_v<Context&, asio::execution_context&>
    explicit BasicAsyncBarrier(Context& context, Source&&... source)
        : BasicAsyncBarrier(Executor(context.get_executor()), std::forward<Source>(source)...) {}

    BasicAsyncBarrier(BasicAsyncBarrier&&) noexcept = default;
    BasicAsyncBarrier& operator=(BasicAsyncBarrier&& other) noexcept {
        if (this != &other) {
            cancel();
            shared_ = std::move(other.shared_);
        }
        return *this;
    }
    BasicAsyncBarrier(const BasicAsyncBarrier&) = delete;
    BasicAsyncBarrier& operator=(const BasicAsyncBarrier&) = delete;
    ~BasicAsyncBarrier() { cancel(); }

    [[nodiscard]] Executor get_executor() const noexcept { return shared_->executor; }
    /// The barrier itself, for what never waits: place(), abort(), poll_now(), status(). The operations
    /// outstanding look again after each call of this; so do not keep the reference.
    [[nodiscard]] Barrier& barrier() noexcept {
        shared_->wake_all();
        return shared_->barrier;
    }

    /// Ends all operations that are outstanding with operation_aborted.
    void cancel() noexcept {
        if (shared_) {
            ++shared_->cancellations;
            shared_->wake_all();
        }
    }

    /// At least one place of the peer that was not read before this was called.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_next(Token&& token = Token()) {
        return begin(Operation::wait_next, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_next(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::wait_next, deadline, token);
    }
    /// The peer placed at least as often as this side.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_sync(Token&& token = Token()) {
        return begin(Operation::sync, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_sync(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::sync, deadline, token);
    }
    /// The rendezvous: place, then sync. The place is made soon after the call, not within it.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_place_and_sync(Token&& token = Token()) {
        return begin(Operation::place_and_sync, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_place_and_sync(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::place_and_sync, deadline, token);
    }
    /// The peer aborted or is gone.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_abortion(Token&& token = Token()) {
        return begin(Operation::wait_abortion, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_abortion(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::wait_abortion, deadline, token);
    }

private:
    using Waiter = detail::Waiter<Executor>;
    enum class Operation { wait_next, sync, place_and_sync, wait_abortion };

    // Of the object and of its operations, which may outlive it by the time of their last handler.
    struct Shared {
        Shared(Executor its_executor, Barrier its_barrier, UniqueFd its_pidfd)
            : executor(std::move(its_executor)),
              pidfd(std::move(its_pidfd)),
              barrier(std::move(its_barrier)) {
            (void)barrier.watch_peer(pidfd.get());
        }
        void wake_all() {
            for (Waiter* const waiter : *waiters) {
                waiter->wake();
            }
        }

        Executor executor;
        UniqueFd pidfd;
        Barrier barrier;
        std::uint64_t cancellations = 0;
        std::shared_ptr<typename Waiter::Registry> waiters =
            std::make_shared<typename Waiter::Registry>();
    };

    class Task {
    public:
        Task(std::shared_ptr<Shared> shared, Operation operation, std::optional<Deadline> deadline)
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
                shared_->wake_all();  // what was read here, no other operation can wait for
            }
            return outcome_ != Outcome::timed_out ||
                   (deadline_ && std::chrono::steady_clock::now() >= *deadline_);
        }

        void watch(Waiter& waiter) {
            if (!is_armed_) {
                is_armed_ = true;
                waiter.watch(deadline_);
            }
            const bool is_for_place = operation_ == Operation::place_and_sync && !has_placed_;
            const BarrierEvents wanted = is_for_place ? shared_->barrier.events_for_place()
                                                      : shared_->barrier.events_for_wait();
            waiter.watch_only(wanted);
        }

        template <class Self>
        void complete(Self& self, error_code error) {
            if (!error && outcome_ == Outcome::failed) {
                error =
                    error_code(shared_->barrier.error().value(), boost::system::system_category());
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
                    return barrier.status().seen != seen_ ? Outcome::reached
                                                          : barrier.try_wait_next();
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

    template <class Token>
    auto begin(Operation operation, std::optional<Deadline> deadline, Token& token) {
        return asio::async_compose<Token, void(error_code, Outcome)>(
            detail::Polling<Executor, Task>(shared_->executor, Task(shared_, operation, deadline)),
            token, shared_->executor);
    }

    std::shared_ptr<Shared> shared_;
};

using AsyncBarrier = BasicAsyncBarrier<>;

}  // namespace syncspawn::for_boost
