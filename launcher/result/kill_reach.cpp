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
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "barrier/linux/fresh_descriptor.hpp"
#include "launcher/plan/opened_stream.hpp"

namespace syncspawn::detail {
namespace {

UniqueFd open_at(int directory, const char* name, int flags) noexcept {
    return UniqueFd(openat(directory, name, flags | O_CLOEXEC));
}

// Calls `visit` for each number of a file with one number a line. The errno, or 0.
template <class Visit>
int read_numbers(int file, Visit& visit) {
    char text[4096];
    std::size_t kept = 0;
    for (;;) {
        const ssize_t got = read(file, text + kept, sizeof text - kept);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? errno : 0;
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

// Calls `visit` for the processes of the cgroup `place`, a path from `cgroup`. The errno, or 0.
template <class Visit>
int visit_processes_at(int cgroup, const std::string& place, Visit& visit) {
    const UniqueFd processes = open_at(cgroup, (place + "/cgroup.procs").c_str(), O_RDONLY);
    return processes ? read_numbers(processes.get(), visit) : errno;
}

// Adds the cgroups right below `place`. The errno, or 0.
int add_those_below(int cgroup, const std::string& place, std::vector<std::string>& places) {
    UniqueFd directory = open_at(cgroup, place.c_str(), O_RDONLY | O_DIRECTORY);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(
        directory ? fdopendir(directory.get()) : nullptr, closedir);
    if (entries == nullptr) {
        return errno;
    }
    static_cast<void>(directory.release());
    while (const dirent* const entry = readdir(entries.get())) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            places.push_back(place + "/" + entry->d_name);
        }
    }
    return 0;
}

// Whether it hides no process: the cgroup was removed, or is none; or it is a threaded one below, whose
// processes the one above lists.
bool hides_none(int error, bool is_below) noexcept {
    return error == 0 || error == ENOENT || error == ENODEV || error == ENOTDIR ||
           (error == EOPNOTSUPP && is_below);
}

// Calls `visit` for the id of each process of a cgroup and of those below it. Of those in another pid
// namespace the id is 0. The errno that hid some, or 0. One descriptor at a time, however deep it goes.
template <class Visit>
int visit_processes(int cgroup, Visit& visit) {
    int hiding = 0;
    std::vector<std::string> places{"."};
    for (bool is_below = false; !places.empty(); is_below = true) {
        const std::string place = std::move(places.back());
        places.pop_back();
        for (const int error :
             {visit_processes_at(cgroup, place, visit), add_those_below(cgroup, place, places)}) {
            hiding = hides_none(error, is_below) ? hiding : error;
        }
    }
    return hiding;
}

// Whether this process is in the cgroup, and the errno that hid some of those that are.
struct Look {
    bool is_in = false;
    int hiding = 0;
};

Look look_for_this_process(int cgroup) {
    Look look;
    auto compare = [&, self = getpid()](pid_t process) {
        look.is_in = look.is_in || process == self;
    };
    look.hiding = visit_processes(cgroup, compare);
    return look;
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
// Nor if this process may be among those that are hidden.
bool kill_cgroup(int cgroup, pid_t child, bool is_all_in_sight) {
    constexpr int passes = 100;
    Killing killing;
    for (int pass = 0; pass < passes && killing.out_of_reach.empty(); ++pass) {
        const std::size_t before = killing.killed.size();
        visit_processes(cgroup, killing);
        if (killing.out_of_reach.empty() && killing.killed.size() == before) {
            return killing.killed.contains(child);
        }
    }
    const bool is_killed_by_kernel = is_all_in_sight && kill_by_kernel(cgroup);
    return killing.killed.contains(child) ||
           (is_killed_by_kernel && killing.out_of_reach.contains(child));
}

KillReach::Reached signal_cgroup(int cgroup, pid_t child, int signal) {
    // It may have been moved there since the launch.
    const Look look = look_for_this_process(cgroup);
    if (look.is_in) {
        return KillReach::Reached::none;
    }
    if (signal == SIGKILL) {
        return kill_cgroup(cgroup, child, look.hiding == 0) ? KillReach::Reached::all
                                                            : KillReach::Reached::none;
    }
    ask_processes(cgroup, child, signal);
    return KillReach::Reached::others;
}

}  // namespace

KillReach::KillReach(KillScope scope, int cgroup) : scope_(scope) {
    if (scope_ != KillScope::cgroup) {
        return;
    }
    if (cgroup < 0) {
        throw ErrorWithHint(EINVAL, "KillScope::cgroup",
                            "it takes a cgroup: `birth.cgroup`, or ParentSide::set_cgroup() in a "
                            "step");
    }
    cgroup_ = UniqueFd(duplicate_from(cgroup, 10));
    if (!cgroup_) {
        throw std::system_error(errno, std::generic_category(), "fcntl F_DUPFD_CLOEXEC");
    }
    const Look look = look_for_this_process(cgroup_.get());
    if (look.is_in || look.hiding != 0) {
        throw std::system_error(look.is_in ? EINVAL : look.hiding, std::generic_category(),
                                "KillScope::cgroup");
    }
}

KillReach::Reached KillReach::send_beside(pid_t child, int signal) const noexcept {
    try {
        return cgroup_ ? signal_cgroup(cgroup_.get(), child, signal) : Reached::none;
    } catch (const std::bad_alloc&) {
        (void)(signal == SIGKILL && kill_by_kernel(cgroup_.get()));
        return Reached::none;
    }
}

}  // namespace syncspawn::detail
