#include "kill_reach.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <system_error>

#include "barrier/linux/fresh_descriptor.hpp"

namespace syncspawn::detail {
namespace {

// How far below the cgroup one is looked for: each level holds descriptors open.
constexpr int deepest = 64;

UniqueFd open_at(int directory, const char* name, int flags) noexcept {
    return UniqueFd(openat(directory, name, flags | O_CLOEXEC));
}

// Calls `visit` for each number of a file with one number a line.
template <class Visit>
void read_numbers(int file, Visit& visit) {
    char text[4096];
    std::size_t kept = 0;
    for (;;) {
        const ssize_t got = read(file, text + kept, sizeof text - kept);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return;
        }
        const char* const end = text + kept + got;
        const char* line = text;
        for (const char* newline = nullptr;
             (newline = static_cast<const char*>(
                  std::memchr(line, '\n', static_cast<std::size_t>(end - line)))) != nullptr;
             line = newline + 1) {
            pid_t number = 0;
            if (std::from_chars(line, newline, number).ec == std::errc()) {
                visit(number);
            }
        }
        kept = static_cast<std::size_t>(end - line);
        std::memmove(text, line, kept);
    }
}

// Calls `visit` for the id of each process of a cgroup and of those below it. Of those in another pid
// namespace the id is 0.
template <class Visit>
void visit_processes(int cgroup, Visit& visit, int depth = 0) {
    const UniqueFd processes = open_at(cgroup, "cgroup.procs", O_RDONLY);
    UniqueFd directory = open_at(cgroup, ".", O_RDONLY | O_DIRECTORY);
    if (!processes || !directory || depth > deepest) {
        return;
    }
    read_numbers(processes.get(), visit);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(directory.get()), closedir);
    if (entries == nullptr) {
        return;
    }
    const int below = directory.release();
    while (const dirent* const entry = readdir(entries.get())) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            if (const UniqueFd next = open_at(below, entry->d_name, O_PATH | O_DIRECTORY)) {
                visit_processes(next.get(), visit, depth + 1);
            }
        }
    }
}

bool is_this_process_in(int cgroup) {
    bool is_in = false;
    auto look = [&, self = getpid()](pid_t process) { is_in = is_in || process == self; };
    visit_processes(cgroup, look);
    return is_in;
}

void ask_processes(int cgroup, pid_t child, int signal) {
    auto send = [&](pid_t process) {
        if (process > 0 && process != child) {
            ::kill(process, signal);
        }
    };
    visit_processes(cgroup, send);
}

// One pass over those in the cgroup. One that was killed cannot fork any more.
struct Killing {
    std::set<pid_t> killed{};
    std::set<pid_t> out_of_reach{};  // another user's; 0: of another pid namespace

    void operator()(pid_t process) {
        const bool is_refused = process <= 0 || (!killed.contains(process) &&
                                                 ::kill(process, SIGKILL) < 0 && errno == EPERM);
        (is_refused ? out_of_reach : killed).insert(process);
    }
};

bool kill_by_kernel(int cgroup) noexcept {
    const UniqueFd file = open_at(cgroup, "cgroup.kill", O_WRONLY);  // Linux 5.14
    return file && write(file.get(), "1", 1) == 1;
}

// One by one, until there is none that was not there before. Not by cgroup.kill at once: after that Linux
// 6.18 kills whatever is born into the cgroup from another one, so that no launch into it succeeds any more.
bool kill_cgroup(int cgroup, pid_t child) {
    constexpr int passes = 100;
    Killing killing;
    for (int pass = 0; pass < passes && killing.out_of_reach.empty(); ++pass) {
        const std::size_t before = killing.killed.size();
        visit_processes(cgroup, killing);
        if (killing.out_of_reach.empty() && killing.killed.size() == before) {
            return killing.killed.contains(child);
        }
    }
    const bool is_killed_by_kernel = kill_by_kernel(cgroup);
    return killing.killed.contains(child) ||
           (is_killed_by_kernel && killing.out_of_reach.contains(child));
}

bool signal_cgroup(int cgroup, pid_t child, int signal) {
    // It may have been moved there since the launch.
    if (is_this_process_in(cgroup)) {
        return false;
    }
    if (signal == SIGKILL) {
        return kill_cgroup(cgroup, child);
    }
    ask_processes(cgroup, child, signal);
    return false;
}

}  // namespace

KillReach::KillReach(const SpawnOptions& options) : scope_(options.ending.scope) {
    if (scope_ != KillScope::cgroup) {
        return;
    }
    cgroup_ = UniqueFd(duplicate_from(options.birth.cgroup, 10));
    if (!cgroup_) {
        throw std::system_error(errno, std::generic_category(), "fcntl F_DUPFD_CLOEXEC");
    }
    if (is_this_process_in(cgroup_.get())) {
        throw std::system_error(EINVAL, std::generic_category(), "KillScope::cgroup");
    }
}

bool KillReach::send_beside(pid_t child, int signal) const noexcept {
    try {
        return cgroup_ && signal_cgroup(cgroup_.get(), child, signal);
    } catch (const std::bad_alloc&) {
        (void)(signal == SIGKILL && kill_by_kernel(cgroup_.get()));
        return false;
    }
}

}  // namespace syncspawn::detail
