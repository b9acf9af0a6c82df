#pragma once

#include <boost/asio/async_result.hpp>
#include <optional>

#include <syncspawn/boost/detail/exit_task.hpp>
#include <syncspawn/boost/detail/polling.hpp>
#include <syncspawn/launcher/process.hpp>

/// async_wait_exit: wait for the end of a process without blocking. Here one that takes too long is killed:
///
///     #include <boost/asio/io_context.hpp>
///     #include <chrono>
///     #include <csignal>
///     #include <cstdio>
///     #include <syncspawn/boost.hpp>
///
///     using namespace std::chrono_literals;
///
///     int main() {
///         boost::asio::io_context context;
///         syncspawn::SyncedSpawner spawner({.program = "sleep", .arguments = {"1000"}});
///         syncspawn::Process sleeper = spawner.spawn();
///         const auto deadline = std::chrono::steady_clock::now() + 20ms;
///         const auto when_over = [&](boost::system::error_code error, syncspawn::ExitStatus status) {
///             if (error == boost::asio::error::timed_out) {
///                 status = sleeper.kill();
///             }
///             std::puts(status.to_string().c_str());  // killed by SIGKILL
///         };
///         syncspawn::for_boost::async_wait_exit(context, sleeper, deadline, when_over);
///         context.run();
///         return sleeper.wait().signal() == SIGKILL ? 0 : 1;
///     }
///
/// It takes a Process of ours, or a basic_process of Boost, which knows its executor itself:
///
///     int code = co_await async_wait_exit(boost_process, asio::use_awaitable);
///
/// Why not basic_process::async_wait? Once its pidfd seems readable, that calls waitpid(2) without WNOHANG.
/// If it was woken for nothing, it blocks the whole event loop. This one asks without waiting, and goes back
/// to wait.
///
/// For both kinds:
///  - Several waits may be outstanding for one process. Each gets the status, whichever of them reaps it.
///  - A deadline ends the wait with asio::error::timed_out, cancellation (terminal, partial, total) with
///    operation_aborted. Neither touches the process.
///  - Other errors are those of the system: EMFILE, ENOMEM; ENOSYS where there are no pidfds (before Linux
///    5.3).
///  - The process object must stay where it is until the wait is over. Like any object of Asio, it belongs to
///    one thread or strand at a time.

namespace syncspawn::for_boost {

/// Waits for a Process and reaps it. Completes with void(error_code, ExitStatus). An empty Process is
/// asio::error::bad_descriptor. The status is unknown() on errors, or if somebody else has reaped the
/// process.
template <class ExecutorOrContext,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
auto async_wait_exit(ExecutorOrContext&& where, Process& process, Token&& token = Token()) {
    using Executor = detail::ExecutorOf<ExecutorOrContext>;
    return detail::wait_exit<detail::ExitTask<Executor>, ExitStatus>(detail::executor_of(where),
                                                                     process, std::nullopt, token);
}
template <class ExecutorOrContext,
          class Token = asio::default_completion_token_t<detail::ExecutorOf<ExecutorOrContext>>>
auto async_wait_exit(ExecutorOrContext&& where, Process& process, Deadline deadline,
                     Token&& token = Token()) {
    using Executor = detail::ExecutorOf<ExecutorOrContext>;
    return detail::wait_exit<detail::ExitTask<Executor>, ExitStatus>(detail::executor_of(where),
                                                                     process, deadline, token);
}

/// Waits for a process of Boost. Completes with void(error_code, int), as basic_process::async_wait does:
/// with the exit code, or -1 on errors. Reaps through the process object, whose exit_code() then knows, too.
/// ECHILD if somebody else has reaped it.
template <class Executor, class Token = asio::default_completion_token_t<Executor>>
auto async_wait_exit(v2::basic_process<Executor>& process, Token&& token = Token()) {
    return detail::wait_exit<detail::ForeignExitTask<Executor>, int>(process.get_executor(),
                                                                     process, std::nullopt, token);
}
template <class Executor, class Token = asio::default_completion_token_t<Executor>>
auto async_wait_exit(v2::basic_process<Executor>& process, Deadline deadline,
                     Token&& token = Token()) {
    return detail::wait_exit<detail::ForeignExitTask<Executor>, int>(process.get_executor(),
                                                                     process, deadline, token);
}

}  // namespace syncspawn::for_boost
