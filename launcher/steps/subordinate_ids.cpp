#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/launcher/steps/id_maps.hpp>

#include "id_map_step.hpp"
#include "user_database.hpp"

// newuidmap(1) and newgidmap(1), which are set-user-ID or have file capabilities, write maps of ranges for
// those who may not.

namespace syncspawn::steps {
namespace {

// What the parent's part keeps between its calls: those that have been started, and then those that are done.
// A launch that fails ends the processes with it.
struct Helper {
    Run run{};
    bool is_done = false;
};
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
    options.streams.output = Stdio::null();
    options.ending.scope = KillScope::process_group;  // a script, maybe
    return options;
}

std::error_code start(ParentSide& side, const Kind& kind, const std::vector<IdRange>& ranges,
                      Helper& helper) {
    if (is_written(side.child_pid(), kind.map)) {
        return side.fail(EPERM, is_written_already);
    }
    constexpr std::size_t one_line = 256;
    helper.run =
        Run(SyncedSpawner(call_of(kind, side.child_pid(), ranges)), {.error = {.limit = one_line}});
    helper.run.advance();
    return side.done();
}

std::error_code refuse_launch(ParentSide& side, const Kind& kind, const SpawnError& error) {
    if (error.stage() == Stage::execve && error.code() == std::errc::no_such_file_or_directory) {
        const std::string problem =
            std::string(kind.program) + " is not installed (Debian: the package uidmap)";
        return side.fail(ENOENT, problem.c_str());
    }
    return side.fail(error.code(), error.what());
}

// What it said, in one line.
std::string complaint_of(const Kind& kind, std::string said) {
    said.erase(std::min(said.find('\n'), said.size()));
    return said.empty() ? std::string(kind.program) + " has failed without a word" : said;
}

std::error_code refuse(ParentSide& side, const Kind& kind, std::string said) {
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
        const std::string problem = std::string(kind.program) +
                                    " gains no privileges: no_new_privs is set for this process";
        return side.fail(EPERM, problem.c_str());
    }
    return side.fail(EPERM, complaint_of(kind, std::move(said)).c_str());
}

std::error_code finish(ParentSide& side, const Kind& kind, Helper& helper) {
    SpawnError error;
    RunResult result = helper.run.take_result(error);
    helper.is_done = true;
    if (error) {
        return refuse_launch(side, kind, error);
    }
    // The map says whether it has succeeded: its status may be lost, where SIGCHLD is ignored.
    return is_written(side.child_pid(), kind.map) ? side.done()
                                                  : refuse(side, kind, std::move(result.error));
}

std::error_code write_maps(ParentSide& side, const IdMaps& maps) {
    auto& helpers = side.state<Helpers>();
    for (const Kind& kind : kinds) {  // both run at the same time
        Helper& helper = helpers.*kind.helper;
        if ((maps.*kind.ranges).empty() || helper.is_done || helper.run) {
            continue;
        }
        if (const auto error = start(side, kind, maps.*kind.ranges, helper)) {
            return error;
        }
    }
    for (const Kind& kind : kinds) {
        Helper& helper = helpers.*kind.helper;
        if (!helper.run || helper.is_done) {
            continue;
        }
        if (!helper.run.advance()) {
            return side.wait_for(helper.run.descriptor());
        }
        if (const auto error = finish(side, kind, helper)) {
            return error;
        }
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

Step failing(int error, const std::string& problem) {
    return before_what_follows(
        [error, problem](ParentSide& side) { return side.fail(error, problem.c_str()); });
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
            return failing(ENOENT, problem);
        }
    }
    maps.users.insert(maps.users.begin(), {.outside = geteuid()});
    maps.groups.insert(maps.groups.begin(), {.outside = getegid()});
    try {
        return map_subordinate_ids(std::move(maps));
    } catch (const std::invalid_argument& odd) {  // it is not the caller who has written that
        const std::string problem = std::string("/etc/subuid, /etc/subgid: ") + odd.what();
        return failing(EINVAL, problem);
    }
}

}  // namespace syncspawn::steps
