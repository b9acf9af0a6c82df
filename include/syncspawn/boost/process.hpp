#pragma once

#include <sys/wait.h>

#include <csignal>
#include <utility>

#include <syncspawn/boost/version.hpp>
#include <syncspawn/launcher/process.hpp>

namespace syncspawn::for_boost {

/// Makes a process of Boost.Process out of one of ours, pidfd included, which is empty from then on:
/// `ending.stop` and the barrier go with it, so take that out before. If it throws, the process was
/// killed and reaped.
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
