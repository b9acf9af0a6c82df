#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <syncspawn/boost/detail/driving_task.hpp>
#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/run.hpp>

/// async_run: run a program or a pipeline from an event loop of Asio, and get what it wrote.
///
///     #include <boost/asio/awaitable.hpp>
///     #include <boost/asio/co_spawn.hpp>
///     #include <boost/asio/io_context.hpp>
///     #include <boost/asio/use_awaitable.hpp>
///     #include <boost/asio/use_future.hpp>
///     #include <chrono>
///     #include <string>
///     #include <syncspawn/boost.hpp>
///
///     namespace asio = boost::asio;
///     using namespace std::chrono_literals;
///     using syncspawn::for_boost::async_run;
///
///     asio::awaitable<std::string> name_of_the_system() {
///         const auto executor = co_await asio::this_coro::executor;
///         const syncspawn::SyncedSpawner uname({.program = "uname", .arguments = {"-s"}});
///         const syncspawn::RunOptions options{.within = 10s};
///         const auto result = co_await async_run(executor, uname, options, asio::use_awaitable);
///         co_return result.success() ? result.output : result.status.to_string();
///     }
///
///     int main() {
///         asio::io_context context;
///         auto name = asio::co_spawn(context, name_of_the_system(), asio::use_future);
///         context.run();
///         return name.get() == "Linux\n" ? 0 : 1;
///     }

namespace syncspawn::for_boost {

namespace detail {

/// A run whose callbacks are not called any more once its execution context shuts down: what they refer to may
/// be gone by then.
class ContextRun {
public:
    ContextRun(const std::vector<SyncedSpawner>& programs, RunOptions options)
        : run_(programs, with_callbacks_while(calls_back_, std::move(options))) {}

    bool advance() { return run_.advance(); }
    [[nodiscard]] int descriptor() const { return run_.descriptor(); }
    void cancel() { run_.cancel(); }
    void abandon() {
        *calls_back_ = false;
        run_.cancel();
    }
    RunResult take_result(SpawnError& error) { return run_.take_result(error); }

private:
    using Flag = std::shared_ptr<bool>;

    static RunOptions with_callbacks_while(const Flag& calls_back, RunOptions options) {
        if (options.input) {
            options.input = [calls_back, input = std::move(options.input)] {
                return *calls_back ? input() : std::string();
            };
        }
        for (Capture* const capture : {&options.output, &options.error}) {
            if (capture->receive) {
                capture->receive = [calls_back, receive = std::move(capture->receive)](auto text) {
                    if (*calls_back) {
                        receive(text);
                    }
                };
            }
        }
        return options;
    }

    Flag calls_back_ = std::make_shared<bool>(true);
    Run run_;
};

template <class Executor>
class RunTask : public DrivingTask<Executor, ContextRun> {
public:
    explicit RunTask(ContextRun run) : DrivingTask<Executor, ContextRun>(std::move(run)) {}

    template <class Self>
    void complete(Self& self, error_code error) {
        RunResult result;
        std::exception_ptr failure = conclude(this->take_work(), error, result);
        self.complete(std::move(failure), std::move(result));
    }

private:
    /// Why it failed, or null.
    std::exception_ptr conclude(ContextRun run, error_code error, RunResult& result) const {
        if (error) {  // what was needed to wait for it failed; ~Run() ends the programs
            return exception_of(error);
        }
        SpawnError failure;
        try {
            result = run.take_result(failure);
        } catch (...) {  // a callback threw
            return std::current_exception();
        }
        const bool is_end_by_cancellation =
            failure ? failure.cause() == Cause::cancelled : result.end == RunEnd::cancelled;
        // A child that could not be killed is told of by the SpawnError alone.
        if (this->was_cancelled() && is_end_by_cancellation && !failure.survivor()) {
            return exception_of(asio::error::operation_aborted);
        }
        return failure ? std::make_exception_ptr(failure) : nullptr;
    }
    static std::exception_ptr exception_of(error_code error) {
        return std::make_exception_ptr(boost::system::system_error(error, "run"));
    }
};

inline std::vector<SyncedSpawner> pipeline_of(const SyncedSpawner& program) { return {program}; }
inline const std::vector<SyncedSpawner>& pipeline_of(const std::vector<SyncedSpawner>& programs) {
    return programs;
}

}  // namespace detail

/// Runs a program, or a pipeline (std::vector<SyncedSpawner>, the first program first), as run() does: see
/// <syncspawn/launcher/run.hpp>. Takes any completion token for void(std::exception_ptr, RunResult):
///  - The run is over: a null pointer, and its result. How the programs ended is no error, and a time limit
///    that has passed is none: see RunResult::success().
///  - A launch failed: a SpawnError, and an empty result.
///  - A callback threw: that exception.
///  - You cancelled it: see below.
///  - There were no descriptors or no memory to wait with (EMFILE ...): a boost::system::system_error. The
///    programs were killed.
/// A coroutine or a future throws the error.
///
/// Cancellation: terminal and partial. The programs are made to end as RunOptions::stop says, and only then
/// does the operation complete: with asio::error::operation_aborted (in a boost::system::system_error), and the
/// result so far beside it, which a handler and asio::as_tuple get. So a coroutine that is cancelled ends here,
/// and does not take half an output for the whole. (A cancelled launch whose child could not be killed completes
/// with its SpawnError: see SpawnError::survivor().) `setup.cancel_when_readable` is no cancellation of the
/// operation; it gives a result with RunEnd::cancelled, as in run().
///
/// Where code runs. The callbacks of the options, and the parent's parts of the steps, run on the handler's
/// associated executor. They may cancel the operation. One that blocks holds up the event loop. Nothing runs
/// within this call itself, and no thread is started.
///
/// If you destroy the io_context meanwhile, its destructor ends the programs of all its runs as
/// RunOptions::stop says. It tells all of them first, then waits for them. No callback is called any more.
///
/// Programs and options are read in this call alone, so they need not outlive it. Throws std::invalid_argument
/// for options that can never work, and for an empty pipeline.
///
/// Why the options must have a name: GCC 12 destroys what is built in braces inside a co_await twice. For the
/// same reason do not build a spawner there.
template <class ExecutorOrContext, class Programs,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
auto async_run(ExecutorOrContext&& where, const Programs& programs, const RunOptions& options,
               Token&& token = Token()) {
    auto executor = detail::executor_of(where);
    using Executor = decltype(executor);
    using Task = detail::RunTask<Executor>;
    return asio::async_compose<Token, void(std::exception_ptr, RunResult)>(
        detail::Polling<Executor, Task>(executor, Task({detail::pipeline_of(programs), options})),
        token, executor);
}
/// Not for options without a name: write `const RunOptions options{...};` before the call. See above.
template <class ExecutorOrContext, class Programs,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
auto async_run(ExecutorOrContext&& where, const Programs& programs, RunOptions&& options,
               Token&& token = Token()) = delete;

/// The same with the options as they are if nothing is said.
template <class ExecutorOrContext, class Programs,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
requires(!std::same_as<std::remove_cvref_t<Token>, RunOptions>) auto async_run(
    ExecutorOrContext&& where, const Programs& programs, Token&& token = Token()) {
    const RunOptions options;
    return async_run(where, programs, options, std::forward<Token>(token));
}

}  // namespace syncspawn::for_boost
