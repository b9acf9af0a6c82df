#pragma once

#include <sys/wait.h>

#include <csignal>
#include <utility>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/process.hpp>

/// as_boost_process: for code that wants a process of Boost.Process.
///
///     #include <boost/asio/io_context.hpp>
///     #include <syncspawn/boost.hpp>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         boost::asio::io_context context;
///         syncspawn::Process child = syncspawn::SyncedSpawner({.program = "true"}).spawn();
///         auto theirs = syncspawn::for_boost::as_boost_process(context.get_executor(), std::move(child));
///         return theirs.wait();
///     }

namespace syncspawn::for_boost {

/// Turns our Process into a basic_process of Boost, which takes over its pid and pidfd. The rest is gone:
/// `ending.stop` (a basic_process kills), what Step::after_end would do, the parent's ends of pipes, and the
/// barrier. Take out what you want to keep first.
///
/// If this throws, the program has been killed and reaped. Throws std::logic_error if there is no process.
template <class Executor>
v2::basic_process<Executor> as_boost_process(Executor executor, Process process) {
    UniqueFd pidfd;
    const pid_t pid = process.release(pidfd);
    try {
        if (!pidfd) {  // before Linux 5.3
            return v2::basic_process<Executor>(std::move(executor), pid);
        }
        v2::basic_process<Executor> result(std::move(executor), pid, pidfd.get());
        (void)pidfd.release();
        return result;
    } catch (...) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        throw;
    }
}

}  // namespace syncspawn::for_boost
