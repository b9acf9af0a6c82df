#include "launch_cgroup.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "barrier/linux/fresh_descriptor.hpp"
#include "cgroup_files.hpp"

namespace syncspawn::sandbox {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{5};

UniqueFd open_directory(int parent, const std::string& name) noexcept {
    return UniqueFd(detail::above_standard_streams(
        openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)));
}

// Waits for the next event of the cgroup, or a moment.
void await_event(int events) noexcept {
    constexpr int moment = 10;  // milliseconds: what is killed does not always end with an event
    pollfd entry{events, POLLPRI, 0};
    poll(&entry, 1, moment);
}

// Until nothing runs in it, nor below it. False: something still does.
bool becomes_empty(int directory) {
    const UniqueFd events(openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC));
    for (const auto end = Clock::now() + patience;;) {
        // poll(2) tells of events since the last read(2).
        char text[256];
        const ssize_t size = pread(events.get(), text, sizeof text, 0);
        if (size > 0 &&
            std::string_view(text, static_cast<std::size_t>(size)).find("populated 0") !=
                std::string_view::npos) {
            return true;
        }
        if (size <= 0 || Clock::now() >= end) {
            return false;
        }
        await_event(events.get());
    }
}

// The first cgroup below that has none below itself; -1 and no name if there is none at all. No more than two
// descriptors, however deep it goes.
std::pair<UniqueFd, std::string> deepest_below(int directory) {
    UniqueFd parent;
    std::string name;
    int at = directory;
    UniqueFd child;
    for (auto below = cgroups_in(at); !below.empty(); below = cgroups_in(at)) {
        parent = child ? std::move(child) : UniqueFd(dup(directory));
        name = below.front();
        child = open_directory(parent.get(), name);
        if (!child) {
            break;
        }
        at = child.get();
    }
    return {std::move(parent), name};
}

// A process that has just ended may still be counted.
int remove_directory(int parent, const std::string& name) noexcept {
    for (const auto end = Clock::now() + patience;;) {
        if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
            return 0;
        }
        if (errno != EBUSY || Clock::now() >= end) {
            return errno;
        }
        await_event(-1);
    }
}

// The processes of the cgroup and of those below it; 0 for one of another pid namespace.
void add_processes(int directory, std::set<pid_t>& processes) {
    for (const std::string& word : words_in(directory, "cgroup.procs")) {
        pid_t process = 0;
        std::from_chars(word.data(), word.data() + word.size(), process);
        processes.insert(process);
    }
    for (const std::string& name : cgroups_in(directory)) {
        const UniqueFd below = open_directory(directory, name);
        if (below) {
            add_processes(below.get(), processes);
        }
    }
}

}  // namespace

CgroupFailure LaunchCgroup::make(int parent, const std::string& path, CgroupUse use) {
    std::uint64_t number = 0;
    do {
        name_ = name_of_cgroup(use, number++);
        if (mkdirat(parent, name_.c_str(), 0755) == 0) {
            path_ = path + "/" + name_;
            parent_ = UniqueFd(detail::duplicate_from(parent, 10));
            directory_ = open_directory(parent, name_);
            if (parent_ && directory_ && flock(directory_.get(), LOCK_SH) == 0) {
                return {};
            }
            const int error = errno;
            directory_.reset();
            unlinkat(parent, name_.c_str(), AT_REMOVEDIR);
            return {"open '" + path_ + "'", error};
        }
    } while (errno == EEXIST);
    return {"mkdir in '" + path + "'", errno};
}

int LaunchCgroup::set(const CgroupSetting& setting) const {
    const int error = write_cgroup_file(directory_.get(), setting.file, setting.text);
    return error == ENOENT && setting.is_implied ? 0 : error;
}

CgroupFailure LaunchCgroup::kill() const {
    const int error = write_cgroup_file(directory_.get(), "cgroup.kill", "1");
    if (error != 0 && !kill_one_by_one(directory_.get())) {
        return {"cgroup.kill of '" + path_ + "'", error};
    }
    return becomes_empty(directory_.get())
               ? CgroupFailure{}
               : CgroupFailure{"something outlives SIGKILL in '" + path_ + "'", EBUSY};
}

CgroupUsage LaunchCgroup::usage() const { return usage_of(directory_.get()); }

CgroupFailure LaunchCgroup::remove() {
    const int error = remove_cgroup(parent_.get(), name_);
    directory_.reset();
    parent_.reset();
    return {"rmdir '" + path_ + "'", error};
}

int remove_cgroup(int parent, const std::string& name) {
    const UniqueFd directory = open_directory(parent, name);
    if (!directory) {
        return errno == ENOENT ? 0 : errno;
    }
    for (;;) {
        const auto [above, below] = deepest_below(directory.get());
        if (below.empty()) {
            return remove_directory(parent, name);
        }
        const int error = remove_directory(above.get(), below);
        if (error != 0) {
            return error;
        }
    }
}

bool kill_one_by_one(int directory) {
    constexpr int passes = 100;
    for (int pass = 0; pass < passes; ++pass) {
        std::set<pid_t> processes;
        add_processes(directory, processes);
        if (processes.empty()) {
            return true;
        }
        for (const pid_t process : processes) {
            if (process <= 0 || (::kill(process, SIGKILL) < 0 && errno == EPERM)) {
                return false;
            }
        }
        await_event(-1);
    }
    return false;
}

}  // namespace syncspawn::sandbox
