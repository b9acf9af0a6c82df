#include "place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "cgroup_files.hpp"
#include "launch_cgroup.hpp"
#include "names.hpp"
#include "problems.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr long magic_of_cgroup2 = 0x63677270;

// Where this process's launches have their place: in its own cgroup. If that is one that it has moved to, in the
// one above.
std::string found_place(const std::string& own) {
    const std::size_t slash = own.rfind('/');
    const bool has_moved =
        slash != std::string::npos && is_name_of(CgroupUse::caller, own.substr(slash + 1));
    return has_moved ? own.substr(0, slash) : own;
}

bool is_cgroup_directory(int directory) noexcept {
    struct statfs about {};
    return fstatfs(directory, &about) == 0 && about.f_type == magic_of_cgroup2;
}

std::vector<std::string> missing_of(const std::vector<std::string>& needed,
                                    const std::vector<std::string>& present) {
    std::vector<std::string> missing;
    for (const std::string& name : needed) {
        if (std::find(present.begin(), present.end(), name) == present.end()) {
            missing.push_back(name);
        }
    }
    return missing;
}

// Into a new cgroup below. The errno, or 0.
int move_out_of_the_way(int directory) {
    const std::string leaf = name_of_cgroup(CgroupUse::caller, 0);
    if (mkdirat(directory, leaf.c_str(), 0755) < 0 && errno != EEXIST) {
        return errno;
    }
    const int error = write_cgroup_file(directory, leaf + "/cgroup.procs", "0");
    if (error != 0) {
        unlinkat(directory, leaf.c_str(), AT_REMOVEDIR);
    }
    return error;
}

// One controller at a time, so that one which is refused keeps no other back. The errno, or 0.
//
// With processes in the way the kernel refuses most of them. 'pids' and 'cpu' it does enable, but makes the cgroup one
// of threads by that, with none below it that takes a process.
int enable(const OpenedPlace& place, const std::string& controller, CgroupPlace::Caller caller) {
    InTheWay way = who_is_in_the_way(place);
    if (way == InTheWay::this_process && caller == CgroupPlace::Caller::moves) {
        const int error = move_out_of_the_way(place.directory.get());
        if (error != 0) {
            return error;
        }
        way = InTheWay::nobody;
    }
    return way != InTheWay::nobody ? EBUSY
                                   : write_cgroup_file(place.directory.get(),
                                                       "cgroup.subtree_control", "+" + controller);
}

// Those that can be used.
std::vector<std::string> enable_all(OpenedPlace& place, std::vector<std::string> controllers,
                                    CgroupPlace::Caller caller) {
    const int directory = place.directory.get();
    for (const std::string& missing :
         missing_of(controllers, words_in(directory, "cgroup.subtree_control"))) {
        const auto available = words_in(directory, "cgroup.controllers");
        const bool is_there =
            std::find(available.begin(), available.end(), missing) != available.end();
        const int error = is_there ? enable(place, missing, caller) : ENOTSUP;
        if (error != 0) {
            std::erase(controllers, missing);
            place.problems.push_back(is_there ? problem_of_enabling(place, missing, error)
                                              : problem_of_absence(place, missing));
        }
    }
    return controllers;
}

void try_settings(OpenedPlace& place, const std::vector<CgroupSetting>& settings,
                  const std::vector<std::string>& enabled) {
    LaunchCgroup trial;
    const CgroupFailure failure = trial.make(place.directory.get(), place.path, CgroupUse::trial);
    if (failure.error != 0) {
        place.problems.push_back(problem_of_making(place, failure.error));
        return;
    }
    for (const CgroupSetting& setting : settings) {
        const bool is_enabled =
            std::find(enabled.begin(), enabled.end(), setting.controller) != enabled.end();
        const int error = is_enabled ? trial.set(setting) : 0;
        if (error != 0) {
            place.problems.push_back(problem_of_setting(place, setting, error));
        }
    }
    (void)trial.remove();
}

// A problem of a controller is one of each limit that needs it.
void name_limits(std::vector<CgroupProblem>& problems, const std::vector<CgroupSetting>& settings) {
    for (CgroupProblem& problem : problems) {
        std::string limits;
        for (const CgroupSetting& setting : settings) {
            const bool is_named =
                (", " + limits + ",").find(", " + setting.limit + ",") != std::string::npos;
            if (setting.controller == problem.limit && !setting.is_implied && !is_named) {
                limits += (limits.empty() ? "" : ", ") + setting.limit;
            }
        }
        problem.limit = limits.empty() ? problem.limit : limits;
    }
}

}  // namespace

OpenedPlace open_place(const CgroupPlace& place) {
    OpenedPlace opened;
    Hierarchy hierarchy = find_hierarchy();
    opened.mount = hierarchy.mount;
    opened.path = place.parent.empty() ? found_place(hierarchy.own) : place.parent;
    if (opened.path.empty()) {
        opened.problems.push_back(problem_of_no_place(hierarchy));
        return opened;
    }
    opened.directory = UniqueFd(open(opened.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.directory || !is_cgroup_directory(opened.directory.get())) {
        const int error = opened.directory ? ENOTSUP : errno;
        opened.directory.reset();
        opened.problems.push_back(problem_of_opening(opened.path, error));
        return opened;
    }
    // The root has no type.
    const auto type = words_in(opened.directory.get(), "cgroup.type");
    if (!type.empty() && type != std::vector<std::string>{"domain"}) {
        opened.directory.reset();
        opened.problems.push_back(problem_of_threads(opened.path));
    }
    return opened;
}

OpenedPlace prepare_place(const CgroupPlace& place, const std::vector<CgroupSetting>& settings) {
    OpenedPlace opened = open_place(place);
    if (opened.directory) {
        const auto enabled = enable_all(opened, controllers_of(settings), place.caller);
        try_settings(opened, settings, enabled);
        name_limits(opened.problems, settings);
        check_birth(opened);
    }
    return opened;
}

void check_birth(OpenedPlace& place) {
    const bool is_refused_anyway =
        std::any_of(place.problems.begin(), place.problems.end(),
                    [](const CgroupProblem& problem) { return problem.limit.empty(); });
    if (is_refused_anyway) {
        return;
    }
    const std::string own = find_hierarchy().own + "/";
    const std::string there = place.path + "/";
    const auto parting = std::mismatch(own.begin(), own.end(), there.begin(), there.end()).first;
    const std::size_t slash = own.rfind('/', static_cast<std::size_t>(parting - own.begin()));
    const std::string ancestor = own.substr(0, slash == std::string::npos ? 0 : slash);
    if (!ancestor.starts_with(place.mount)) {
        return;  // this process's own cgroup is out of sight: the launch will tell
    }
    const std::string file = ancestor + "/cgroup.procs";
    if (faccessat(AT_FDCWD, file.c_str(), W_OK, AT_EACCESS) < 0 && errno != ENOENT) {
        place.problems.push_back(problem_of_birth(file, errno));
    }
}

InTheWay who_is_in_the_way(const OpenedPlace& place) {
    const int directory = place.directory.get();
    // The root of all cgroups, which may have processes, has no type.
    const auto type = read_cgroup_file(directory, "cgroup.type");
    if (!type) {
        return InTheWay::nobody;
    }
    const auto processes = words_in(directory, "cgroup.procs");
    if (processes.empty()) {
        return InTheWay::nobody;
    }
    return processes == std::vector<std::string>{std::to_string(getpid())} ? InTheWay::this_process
                                                                           : InTheWay::others;
}

std::vector<CgroupProblem> cgroup_problems(const CgroupLimits& limits, const CgroupPlace& place) {
    return prepare_place(place, settings_of(limits)).problems;
}

}  // namespace syncspawn::sandbox
