#include "descendants.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "commands.hpp"
#include "launcher/proc_status.hpp"

namespace syncspawn::tools {
namespace {

// The numbers of a process (NSpid, Linux 4.1): in the pid namespace of /proc first, in its own last.
std::vector<pid_t> numbers_of(const std::string& process) {
    std::vector<pid_t> numbers;
    std::istringstream list(detail::proc_status(process, "NSpid:"));
    for (pid_t number = 0; list >> number;) {
        numbers.push_back(number);
    }
    return numbers;
}

// All are children of this thread (CONFIG_PROC_CHILDREN): it launches, and as the first of the process
// it is the one that orphans are given to. By the numbers that this process knows them by: /proc may be
// of an outer pid namespace, a child in one further in.
std::vector<pid_t> children_of_this_process() {
    const std::size_t level = numbers_of("self").size();
    std::ifstream list("/proc/thread-self/children");
    std::vector<pid_t> found;
    for (std::string listed; level > 0 && list >> listed;) {
        const std::vector<pid_t> numbers = numbers_of(listed);
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

void Descendants::reap_orphans(pid_t kept) const {
    for (const pid_t pid : children()) {
        if (pid != kept) {
            waitpid(pid, nullptr, WNOHANG);
        }
    }
}

void Descendants::kill_all() const {
    for (std::vector<pid_t> wave = children(); !wave.empty(); wave = children()) {
        for (const pid_t pid : wave) {
            kill(pid, SIGKILL);
        }
        for (const pid_t pid : wave) {
            while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
            }
        }
    }
    if (access("/proc/thread-self/children", R_OK) < 0) {
        complain("what the program started may go on: there is no /proc to find it in");
    }
}

}  // namespace syncspawn::tools
