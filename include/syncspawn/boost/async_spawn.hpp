#pragma once

#include <boost/asio/async_result.hpp>
#include <exception>
#include <utility>

#include <syncspawn/boost/detail/driving_task.hpp>
#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/launch.hpp>
#include <syncspawn/launcher/synced_spawner.hpp>

/// async_spawn: launch from an event loop of Asio, without blocking it.
///
///     #include <boost/asio/awaitable.hpp>
///     #include <boost/asio/co_spawn.hpp>
///     #include <boost/asio/io_context.hpp>
///     #include <boost/asio/use_awaitable.hpp>
///     #include <boost/asio/use_future.hpp>
///     #include <syncspawn/boost.hpp>
///
///     namespace asio = boost::asio;
///     using namespace syncspawn::for_boost;
///
///     asio::awaitable<int> wait_for_end_of(const syncspawn::SyncedSpawner& spawner) {
///         const auto executor = co_await asio::this_coro::executor;
///         syncspawn::Process child = co_await async_spawn(executor, spawner, asio::use_awaitable);
///         co_return (co_await async_wait_exit(executor, child, asio::use_awaitable)).shell_code();
///     }
///
///     int main() {
///         asio::io_context context;
///         const syncspawn::SyncedSpawner spawner({.program = "true"});
///         auto code = asio::co_spawn(context, wait_for_end_of(spawner), asio::use_future);
///         context.run();
///         return code.get();
///     }

namespace syncspawn::for_boost {

namespace detail {

template <class Executor>
class LaunchTask : public DrivingTask<Executor, Launch> {
public:
    explicit LaunchTask(Launch launch) : DrivingTask<Executor, Launch>(std::move(launch)) {}

    template <class Self>
    void complete(Self& self, error_code error) {
        Launch launch = this->take_work();
        if (error) {            // what was needed to wait for it failed
            launch = Launch();  // ends the child
            return self.complete(
                std::make_exception_ptr(SpawnError::in_preparation(
                    "wait for the launch", {error.value(), std::generic_category()})),
                Process());
        }
        SpawnError failure;
        Process process = launch.take_process(failure);
        self.complete(failure ? std::make_exception_ptr(failure) : nullptr, std::move(process));
    }
};

}  // namespace detail

/// Launches what `spawner` describes. Takes any completion token for void(std::exception_ptr, Process):
///  - The program runs, and is ready if the options ask for that: a null pointer, and its Process.
///  - The launch failed: a SpawnError, and an empty Process. A coroutine or a future throws the error; in a
///    handler spawn_error_of() gets it for you.
///
/// Where code runs. The parent's parts of the steps run on the handler's associated executor, so a part that
/// blocks holds up the event loop. Nothing runs within this call itself, and no thread is started. Each
/// launch in flight needs two descriptors more than one by spawn().
///
/// Time. The deadlines are those of the options: `setup.within` and `readiness.within`.
///
/// Cancellation: terminal and partial. The child is told to end, killed after `setup.abort_grace`, and
/// reaped; only then does the operation complete, with Cause::cancelled. If you destroy the io_context
/// meanwhile, its destructor does the same for all its launches. It tells all children first, and then waits
/// for them.
///
/// The spawner is read in this call alone, so it need not outlive that.
template <class ExecutorOrContext,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
auto async_spawn(ExecutorOrContext&& where, const SyncedSpawner& spawner, Token&& token = Token()) {
    auto executor = detail::executor_of(where);
    using Executor = decltype(executor);
    using Task = detail::LaunchTask<Executor>;
    return asio::async_compose<Token, void(std::exception_ptr, Process)>(
        detail::Polling<Executor, Task>(executor, Task(spawner.launch())), token, executor);
}

/// The SpawnError inside the pointer that async_spawn() or async_run() completed with; "no error" if that is
/// null. Throws any other exception on.
///
///     async_spawn(context, spawner, [](std::exception_ptr failure, syncspawn::Process child) {
///         if (const syncspawn::SpawnError error = spawn_error_of(failure)) { ... error.what() ... }
///     });
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
