#include "descendants.hpp"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
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

// A process by its number in /proc, and by that which this process knows it by: /proc may be of an outer pid
// namespace, a child in one further in.
struct Known {
    std::string in_proc;
    pid_t pid;
};

// CONFIG_PROC_CHILDREN.
std::vector<Known> children_of_thread(const std::string& thread) {
    const std::size_t level = numbers_of("self").size();
    detail::proc::File list("/proc/", thread, "/children");
    std::vector<Known> found;
    while (const auto listed = level > 0 ? list.number() : std::nullopt) {
        const std::string in_proc = std::to_string(*listed);
        const std::vector<pid_t> numbers = numbers_of(in_proc);
        if (numbers.size() >= level) {  // else it has gone
            found.push_back({in_proc, numbers[level - 1]});
        }
    }
    return found;
}

// All are children of this thread: it launches, and as the first of the process it is the one that orphans are
// given to.
std::vector<Known> children_of_this_process() { return children_of_thread("thread-self"); }

std::vector<Known> children_of(const std::string& process) {
    const std::string threads = "/proc/" + process + "/task";
    const std::unique_ptr<DIR, int (*)(DIR*)> list(opendir(threads.c_str()), closedir);
    std::vector<Known> found;
    while (const dirent* const thread = list ? readdir(list.get()) : nullptr) {
        if (thread->d_name[0] != '.') {
            const auto more = children_of_thread(process + "/task/" + thread->d_name);
            found.insert(found.end(), more.begin(), more.end());
        }
    }
    return found;
}

}  // namespace

Descendants::Descendants() {
    for (const Known& child : children_of_this_process()) {
        foreign_.push_back(child.pid);
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        throw std::system_error(errno, std::generic_category(), "prctl(PR_SET_CHILD_SUBREAPER)");
    }
}

bool Descendants::is_foreign(pid_t pid) const {
    return std::find(foreign_.begin(), foreign_.end(), pid) != foreign_.end();
}

std::vector<pid_t> Descendants::children() const {
    std::vector<pid_t> ours;
    for (const Known& child : children_of_this_process()) {
        if (!is_foreign(child.pid)) {
            ours.push_back(child.pid);
        }
    }
    return ours;
}

void Descendants::signal_group_of(pid_t program, int signal) const {
    const pid_t group = getpgid(program);
    std::vector<Known> found = children_of_this_process();
    std::erase_if(found, [this](const Known& child) { return is_foreign(child.pid); });
    for (std::size_t at = 0; at < found.size(); ++at) {
        const Known process = found[at];
        const std::vector<Known> below = children_of(process.in_proc);
        found.insert(found.end(), below.begin(), below.end());
        if (process.pid != program && getpgid(process.pid) == group) {
            (void)kill(process.pid, signal);  // it may have gone, or belong to another user
        }
    }
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
