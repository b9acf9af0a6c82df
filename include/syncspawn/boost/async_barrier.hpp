#pragma once

#include <fcntl.h>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <memory>
#include <optional>
#include <utility>

#include <syncspawn/barrier/barrier.hpp>
#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/boost/detail/barrier_task.hpp>
#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/process.hpp>

/// syncspawn::for_boost::AsyncBarrier: meet another process at a barrier without blocking. Here a program
/// executes itself, and parent and child meet once:
///
///     #include <boost/asio/io_context.hpp>
///     #include <boost/asio/use_future.hpp>
///     #include <syncspawn/boost.hpp>
///
///     using syncspawn::Outcome;
///
///     int main(int argc, char**) {
///         if (argc > 1) {  // the child
///             return syncspawn::attach().place_and_sync() == Outcome::reached ? 0 : 1;
///         }
///         boost::asio::io_context context;
///         syncspawn::SyncedSpawner spawner({.program = "/proc/self/exe",
///                                           .arguments = {"child"},
///                                           .readiness = {.hand_over = syncspawn::HandOver::barrier}});
///         syncspawn::Process child = spawner.spawn();
///         syncspawn::for_boost::AsyncBarrier barrier(context, child);
///         auto outcome = barrier.async_place_and_sync(boost::asio::use_future);
///         context.run();
///         return outcome.get() == Outcome::reached ? child.wait().shell_code() : 1;
///     }
///
/// The launched program may have an event loop, too: AsyncBarrier barrier(context, syncspawn::attach());

namespace syncspawn::for_boost {

/// Owns one side of a barrier (see Barrier for what places, waits and aborts mean). Every operation takes any
/// completion token for void(error_code, Outcome), and before it a deadline if you want one.
///
/// Results. Look at the Outcome. An abort or a death of the peer is an outcome, not an error, and so is a
/// deadline that has passed: Outcome::timed_out. Only with Outcome::failed is the error code set:
///  - operation_aborted after a cancellation;
///  - else the barrier's own error(), or that of a call which the operation needed (EMFILE and so on).
///
/// Cancellation: terminal, partial and total; async_place_and_sync does not take total, because a place that
/// it has made stays. After a cancellation you can go on using the barrier. cancel() and the destructor end
/// all operations.
///
/// Threads. Like any object of Asio: one thread or strand at a time. Several operations may be outstanding,
/// and when the peer places, all of them see it. None completes within the call that began it, and no thread
/// is started. Your barrier's descriptors keep O_NONBLOCK as it was.
template <class Executor = asio::any_io_executor>
class BasicAsyncBarrier {
public:
    using executor_type = Executor;  // NOLINT(readability-identifier-naming): Asio's name for it

    /// Takes over a side. If you have a pidfd of the peer, pass it on: then the peer's death is seen even if
    /// a third process still holds the barrier's pipe.
    BasicAsyncBarrier(Executor executor, Barrier barrier, UniqueFd peer_pidfd = {})
        : shared_(std::make_shared<Shared>(std::move(executor), std::move(barrier),
                                           std::move(peer_pidfd))) {}
    /// Takes the parent's side out of a Process, and watches the program's pidfd. Throws std::logic_error if
    /// no barrier was handed over.
    BasicAsyncBarrier(Executor executor, Process& process)
        : BasicAsyncBarrier(std::move(executor), process.take_barrier(),
                            UniqueFd(fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 3))) {}
    /// The same two, with an execution context in place of the executor.
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
    /// The barrier itself, for what never waits: place(), abort(), poll_now(), status(). Call this anew each
    /// time, and do not keep the reference: the call also makes outstanding operations look again.
    [[nodiscard]] Barrier& barrier() noexcept {
        shared_->wake_all();
        return shared_->barrier;
    }

    /// Ends all outstanding operations with operation_aborted.
    void cancel() noexcept {
        if (shared_) {
            ++shared_->cancellations;
            shared_->wake_all();
        }
    }

    /// Until the peer places once more: a place that nobody had read when you called this.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_next(Token&& token = Token()) {
        return begin(Operation::wait_next, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_next(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::wait_next, deadline, token);
    }
    /// Until the peer has placed at least as often as this side.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_sync(Token&& token = Token()) {
        return begin(Operation::sync, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_sync(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::sync, deadline, token);
    }
    /// A rendezvous: place, then sync. The place is made soon after the call, not within it.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_place_and_sync(Token&& token = Token()) {
        return begin(Operation::place_and_sync, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_place_and_sync(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::place_and_sync, deadline, token);
    }
    /// Until the peer aborts or is gone.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_abortion(Token&& token = Token()) {
        return begin(Operation::wait_abortion, std::nullopt, token);
    }
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait_abortion(Deadline deadline, Token&& token = Token()) {
        return begin(Operation::wait_abortion, deadline, token);
    }

private:
    using Operation = detail::BarrierOperation;
    using Shared = detail::SharedBarrier<Executor>;
    using Task = detail::BarrierTask<Executor>;

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
