#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/launcher/steps/id_maps.hpp>

#include "barrier/linux/proc.hpp"
#include "id_map_step.hpp"
#include "user_database.hpp"

// newuidmap(1) and newgidmap(1), which are set-user-ID or have file capabilities, write maps of ranges for
// those who may not.

namespace syncspawn::steps {
namespace {

// One of the two. A default-constructed one has not been started.
struct Helper {
    Process process{};
    bool is_done = false;
};

// What the parent's part keeps between its calls. A launch that fails ends the processes with it.
struct Helpers {
    Helper users{};
    Helper groups{};
};

struct Kind {
    const char* program;
    const char* map;
    Helper Helpers::*helper;
    std::vector<IdRange> IdMaps::*ranges;
};
constexpr Kind kinds[]{{"newuidmap", "/uid_map", &Helpers::users, &IdMaps::users},
                       {"newgidmap", "/gid_map", &Helpers::groups, &IdMaps::groups}};

SpawnOptions call_of(const Kind& kind, pid_t child, const std::vector<IdRange>& ranges) {
    SpawnOptions options{.program = kind.program, .arguments = {std::to_string(child)}};
    for (const IdRange& range : ranges) {
        for (const std::uint32_t number : {range.inside, range.outside, range.count}) {
            options.arguments.push_back(std::to_string(number));
        }
    }
    options.streams.input = Stdio::null();
    options.streams.output = Stdio::null();
    options.streams.error = Stdio::pipe();
    return options;
}

std::error_code start(ParentSide& side, const Kind& kind, const std::vector<IdRange>& ranges,
                      Helper& helper) {
    SpawnError error;
    helper.process = SyncedSpawner(call_of(kind, side.child_pid(), ranges)).spawn(error);
    if (!error) {
        return side.done();
    }
    if (error.stage() == Stage::execve && error.code() == std::errc::no_such_file_or_directory) {
        const std::string problem =
            std::string(kind.program) + " is not installed (Debian: the package uidmap)";
        return side.fail(ENOENT, problem.c_str());
    }
    return side.fail(error.code(), error.what());
}

// What it said, in one line.
std::string complaint_of(const Kind& kind, const Process& process) {
    char text[256];
    const ssize_t size = read(process.standard_error(), text, sizeof text);
    std::string line(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    line.erase(std::min(line.find('\n'), line.size()));
    return line.empty() ? std::string(kind.program) + " has failed without a word" : line;
}

// The map says whether it has succeeded: its status may be lost, where SIGCHLD is ignored.
bool is_written(pid_t child, const Kind& kind) {
    return detail::proc::number_in("/proc/", child, kind.map).has_value();
}

std::error_code refuse(ParentSide& side, const Kind& kind, const Process& process) {
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
        const std::string problem = std::string(kind.program) +
                                    " gains no privileges: no_new_privs is set for this process";
        return side.fail(EPERM, problem.c_str());
    }
    return side.fail(EPERM, complaint_of(kind, process).c_str());
}

// "Not yet" is what wait_for() has noted.
std::error_code wait_for_end(ParentSide& side, const Process& process) {
    constexpr std::chrono::milliseconds glance(2);  // before Linux 5.3 there is no pidfd
    return process.pidfd() >= 0 ? side.wait_for(process.pidfd())
                                : side.wait_until(std::chrono::steady_clock::now() + glance);
}

std::error_code write_maps(ParentSide& side, const IdMaps& maps) {
    auto& helpers = side.state<Helpers>();
    for (const Kind& kind : kinds) {  // both run at the same time
        Helper& helper = helpers.*kind.helper;
        if ((maps.*kind.ranges).empty() || helper.is_done || helper.process) {
            continue;
        }
        if (const auto error = start(side, kind, maps.*kind.ranges, helper)) {
            return error;
        }
    }
    for (const Kind& kind : kinds) {
        Helper& helper = helpers.*kind.helper;
        if (!helper.process || helper.is_done) {
            continue;
        }
        const auto status = helper.process.try_wait();
        if (!status) {
            return wait_for_end(side, helper.process);
        }
        if (!is_written(side.child_pid(), kind)) {
            return refuse(side, kind, helper.process);
        }
        helper.is_done = true;
    }
    return side.done();
}

// The caller's ranges in /etc/subuid or /etc/subgid, by name or by number: subuid(5).
std::vector<IdRange> subordinate_ranges(const char* path, const std::string& name) {
    std::vector<IdRange> ranges;
    std::uint32_t inside = 1;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        const std::string owner = line.substr(0, first);
        if (second == std::string::npos || (owner != name && owner != std::to_string(getuid()))) {
            continue;
        }
        const auto begin = number_of(std::string_view(line).substr(first + 1, second - first - 1));
        const auto count = number_of(std::string_view(line).substr(second + 1));
        if (begin && count && *count != 0) {
            ranges.push_back({.inside = inside, .outside = *begin, .count = *count});
            inside += *count;
        }
    }
    return ranges;
}

}  // namespace

Step map_subordinate_ids(IdMaps maps) {
    require_sound(maps);
    return before_what_follows(
        [maps = std::move(maps)](ParentSide& side) { return write_maps(side, maps); });
}

Step map_subordinate_ids() {
    const std::string name = user_name(getuid());
    IdMaps maps{.users = subordinate_ranges("/etc/subuid", name),
                .groups = subordinate_ranges("/etc/subgid", name)};
    for (const auto& [ranges, file] :
         {std::pair{&maps.users, "/etc/subuid"}, std::pair{&maps.groups, "/etc/subgid"}}) {
        if (ranges->empty()) {
            const std::string problem = std::string(file) + " has no ids for '" + name +
                                        "': usermod --add-subuids, --add-subgids";
            return before_what_follows(
                [problem](ParentSide& side) { return side.fail(ENOENT, problem.c_str()); });
        }
    }
    maps.users.insert(maps.users.begin(), {.outside = geteuid()});
    maps.groups.insert(maps.groups.begin(), {.outside = getegid()});
    return map_subordinate_ids(std::move(maps));
}

}  // namespace syncspawn::steps
