#pragma once

#include <boost/asio/async_result.hpp>
#include <exception>
#include <memory>
#include <utility>

#include <syncspawn/boost/detail/launches.hpp>
#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

/// async_spawn: SyncedSpawner::spawn() for an event loop of Asio.
///
///     syncspawn::SyncedSpawner spawner({.program = "server", .readiness = {.within = 5s}});
///     syncspawn::Process child =
///         co_await syncspawn::for_boost::async_spawn(context, spawner, asio::use_awaitable);

namespace syncspawn::for_boost {

namespace detail {

/// Drives a Launch, which is on a list of its execution context from its first wait on.
template <class Executor>
class LaunchTask {
public:
    explicit LaunchTask(Launch launch) : launch_(std::move(launch)) {}

    template <class Self>
    void expects(Self& self) {
        self.reset_cancellation_state(asio::enable_partial_cancellation());
    }
    static std::shared_ptr<typename Waiter<Executor>::Registry> registry() { return nullptr; }
    static bool is_cancelled() { return false; }
    bool cancel() {
        launch_.cancel();
        return false;  // the child has to end first
    }
    bool looks_done() { return launch_.advance(); }
    void watch(Waiter<Executor>& waiter) {
        waiter.watch(launch_.descriptor(), EPOLLIN);
        if (!listed_) {
            listed_ = std::make_unique<LaunchOnList>(waiter.context(), launch_);
        }
    }
    template <class Self>
    void complete(Self& self, error_code error) {
        listed_.reset();
        if (error) {             // what was needed to wait for it failed
            launch_ = Launch();  // ends the child
            return self.complete(
                std::make_exception_ptr(SpawnError::in_preparation(
                    "wait for the launch", {error.value(), std::generic_category()})),
                Process());
        }
        SpawnError failure;
        Process process = launch_.take_process(failure);
        self.complete(failure ? std::make_exception_ptr(failure) : nullptr, std::move(process));
    }

private:
    Launch launch_;
    std::unique_ptr<LaunchOnList> listed_;
};

}  // namespace detail

/// Launches without blocking, and completes with void(std::exception_ptr, Process): null and the program
/// that runs (and is ready, if the options ask for that), or a SpawnError, which a coroutine or a future
/// throws, and no process. See spawn_error_of() for handlers.
///
/// The parent's parts run where the completion handler does (its associated executor), and should not
/// block. Nothing runs within the call that initiates. No thread, two descriptors per launch beside its own.
///
/// Cancellation (terminal, partial): the child is told to end, killed after `setup.abort_grace`, and reaped;
/// then it completes with Cause::cancelled. If the io_context is destroyed first, the same happens there: all
/// children are told before any is waited for. The deadlines are those of the options.
template <class ExecutorOrContext,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
auto async_spawn(ExecutorOrContext&& where, const SyncedSpawner& spawner, Token&& token = Token()) {
    auto executor = detail::executor_of(where);
    using Executor = decltype(executor);
    using Task = detail::LaunchTask<Executor>;
    return asio::async_compose<Token, void(std::exception_ptr, Process)>(
        detail::Polling<Executor, Task>(executor, Task(spawner.launch())), token, executor);
}

/// The SpawnError in what async_spawn() completed with; no error if that is null. Another exception is
/// thrown on.
inline SpawnError spawn_error_of(const std::exception_ptr& failure) {
    if (failure == nullptr) {
        return {};
    }
    try {
        std::rethrow_exception(failure);
    } catch (const SpawnError& error) {
        return error;
    }
}

}  // namespace syncspawn::for_boost
