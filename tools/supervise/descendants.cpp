#include "descendants.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <system_error>

#include "barrier/linux/proc.hpp"
#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

// The numbers of a process (NSpid, Linux 4.1): in the pid namespace of /proc first, in its own last.
std::vector<pid_t> numbers_of(const std::string& process) {
    std::vector<pid_t> numbers;
    detail::proc::File status("/proc/", process, "/status");
    if (status.find("NSpid:")) {
        while (const auto number = status.number()) {
            numbers.push_back(static_cast<pid_t>(*number));
        }
    }
    return numbers;
}

// All are children of this thread (CONFIG_PROC_CHILDREN): it launches, and as the first of the process
// it is the one that orphans are given to. By the numbers that this process knows them by: /proc may be
// of an outer pid namespace, a child in one further in.
std::vector<pid_t> children_of_this_process() {
    const std::size_t level = numbers_of("self").size();
    detail::proc::File list("/proc/thread-self/children");
    std::vector<pid_t> found;
    while (const auto listed = level > 0 ? list.number() : std::nullopt) {
        const std::vector<pid_t> numbers = numbers_of(std::to_string(*listed));
        if (numbers.size() >= level) {  // else it has gone
            found.push_back(numbers[level - 1]);
        }
    }
    return found;
}

}  // namespace

Descendants::Descendants() : foreign_(children_of_this_process()) {
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        throw std::system_error(errno, std::generic_category(), "prctl(PR_SET_CHILD_SUBREAPER)");
    }
}

std::vector<pid_t> Descendants::children() const {
    std::vector<pid_t> ours = children_of_this_process();
    std::erase_if(ours, [&](pid_t pid) {
        return std::find(foreign_.begin(), foreign_.end(), pid) != foreign_.end();
    });
    return ours;
}

void Descendants::reap_orphans(pid_t kept) {
    siginfo_t ended{};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0 &&
           ended.si_pid != kept) {
        waitpid(ended.si_pid, nullptr, WNOHANG);
        ended.si_pid = 0;
    }
}

void Descendants::kill_all() const {
    std::vector<pid_t> out_of_reach;
    const auto is_out_of_reach = [&](pid_t pid) {
        return std::find(out_of_reach.begin(), out_of_reach.end(), pid) != out_of_reach.end();
    };
    for (std::vector<pid_t> wave = children(); !wave.empty(); wave = children()) {
        for (const pid_t pid : wave) {
            // Nor may one that has ended be signalled if it was another user's.
            if (kill(pid, SIGKILL) < 0 && errno == EPERM && waitpid(pid, nullptr, WNOHANG) == 0 &&
                !is_out_of_reach(pid)) {
                out_of_reach.push_back(pid);
            }
        }
        std::erase_if(wave, is_out_of_reach);
        for (const pid_t pid : wave) {
            while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
            }
        }
        if (wave.empty()) {
            break;
        }
    }
    for (const pid_t pid : out_of_reach) {
        complain("process " + std::to_string(pid) +
                 " of the launch may go on: it may not be killed, for it runs as another user");
    }
    // The end of the first process of a pid namespace is that of all.
    if (getpid() != 1 && access("/proc/thread-self/children", R_OK) < 0) {
        complain("what the program started may go on: there is no /proc to find it in");
    }
}

}  // namespace syncspawn::tools
