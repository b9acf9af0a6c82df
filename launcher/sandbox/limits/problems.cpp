#include "problems.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <system_error>

#include "cgroup_files.hpp"

namespace syncspawn::sandbox {
namespace {

std::error_code code_of(int error) { return {error, std::generic_category()}; }

std::string delegated_scope() {
    return std::string("start this program by `systemd-run ") + (geteuid() == 0 ? "" : "--user ") +
           "--scope -p Delegate=yes PROGRAM`, and let it move (CgroupPlace::Caller::moves)";
}

bool has_controller(const std::string& directory, const std::string& controller) {
    const auto there = words_in(AT_FDCWD, directory + "/cgroup.controllers");
    return std::find(there.begin(), there.end(), controller) != there.end();
}

// The nearest cgroup above that has the controller, and does not pass it on; empty if none has it.
std::string holder_of(const OpenedPlace& place, const std::string& controller) {
    std::string directory = place.path;
    while (directory.size() > place.mount.size() && directory.starts_with(place.mount)) {
        directory.erase(directory.rfind('/'));
        if (has_controller(directory, controller)) {
            return directory;
        }
    }
    return {};
}

// What /proc/cgroups says about a controller.
struct KnownController {
    bool is_known = false;
    bool is_of_version_1 = false;
    bool is_enabled = true;
};

KnownController look_up(const std::string& controller) {
    const std::string name = controller == "io" ? "blkio" : controller;
    std::istringstream lines(read_whole_file("/proc/cgroups").value_or(""));
    std::string word;
    std::getline(lines, word);  // the heading
    for (long hierarchy = 0, count = 0, enabled = 0;
         lines >> word >> hierarchy >> count >> enabled;) {
        if (word == name) {
            return {true, hierarchy != 0, enabled != 0};
        }
    }
    return {};
}

std::string list_of_processes(const OpenedPlace& place) {
    constexpr std::size_t most = 5;
    const auto processes = words_in(place.directory.get(), "cgroup.procs");
    std::string list;
    for (std::size_t at = 0; at < processes.size() && at < most; ++at) {
        list += (at == 0 ? "" : ", ") + processes[at];
    }
    return list + (processes.size() > most ? " ..." : "");
}

CgroupProblem problem_of_processes(const OpenedPlace& place, const std::string& controller) {
    const bool is_alone = who_is_in_the_way(place) == InTheWay::this_process;
    return {.limit = controller,
            .path = place.path + "/cgroup.subtree_control",
            .error = code_of(EBUSY),
            .cause = "a cgroup with processes in it passes no controller on, and here " +
                     (is_alone ? std::string("is this one")
                               : "are the processes " + list_of_processes(place)),
            .remedy = is_alone ? "let this process move (CgroupPlace::Caller::moves)"
                               : "name a cgroup without processes (CgroupPlace::parent), or " +
                                     delegated_scope()};
}

std::string lines_of(const std::vector<CgroupProblem>& problems) {
    std::string lines = "syncspawn: cgroup";
    for (const CgroupProblem& problem : problems) {
        lines += "\n" + problem.to_string();
    }
    return lines;
}

}  // namespace

CgroupProblem problem_of_no_place(const Hierarchy& hierarchy) {
    if (access("/proc/self/mountinfo", R_OK) < 0) {
        return {.path = "/proc/self/mountinfo",
                .error = code_of(errno),
                .cause = "/proc is not mounted here, which says where cgroups are",
                .remedy = "mount -t proc proc /proc"};
    }
    if (hierarchy.mount.empty()) {
        return {.path = "/proc/self/mountinfo",
                .error = code_of(ENOTSUP),
                .cause = "cgroup v2 is mounted nowhere",
                .remedy = "mount -t cgroup2 cgroup2 /sys/fs/cgroup"};
    }
    return {.path = hierarchy.mount,
            .error = code_of(ENOTSUP),
            .cause = "the cgroup of this process is not to be seen there",
            .remedy = "name one that is (CgroupPlace::parent)"};
}

CgroupProblem problem_of_opening(const std::string& path, int error) {
    return {.path = path,
            .error = code_of(error),
            .cause = error == ENOTSUP ? "is no cgroup of version 2" : "cannot be opened"};
}

CgroupProblem problem_of_threads(const std::string& path) {
    return {.path = path + "/cgroup.type",
            .error = code_of(EOPNOTSUPP),
            .cause = "is a cgroup of threads, with none below it that takes a process"};
}

CgroupProblem problem_of_making(const OpenedPlace& place, int error) {
    CgroupProblem problem{.path = place.path, .error = code_of(error)};
    if (error == EACCES || error == EPERM) {
        problem.cause = "this user may make no cgroup there";
        problem.remedy = delegated_scope();
    } else if (error == EROFS) {
        problem.cause = "cgroups are mounted read-only, as in most containers";
        problem.remedy = "give the container a cgroup of its own to write to";
    } else if (error == EAGAIN) {
        problem.cause = "cgroup.max.descendants or cgroup.max.depth there or above is reached";
    } else {
        problem.cause = "no cgroup can be made there";
    }
    return problem;
}

CgroupProblem problem_of_birth(const std::string& file, int error) {
    return {.path = file,
            .error = code_of(error),
            .cause = "this user may move no process from this process's cgroup into one there",
            .remedy = delegated_scope()};
}

CgroupProblem problem_of_enabling(const OpenedPlace& place, const std::string& controller,
                                  int error) {
    if (error == EBUSY) {
        return problem_of_processes(place, controller);
    }
    CgroupProblem problem{.limit = controller,
                          .path = place.path + "/cgroup.subtree_control",
                          .error = code_of(error)};
    if (error == EACCES || error == EPERM || error == EROFS) {
        problem.cause = "this user may not enable the controller '" + controller + "'";
        problem.remedy = delegated_scope();
    } else {
        problem.cause = "the controller '" + controller + "' cannot be enabled";
    }
    return problem;
}

CgroupProblem problem_of_absence(const OpenedPlace& place, const std::string& controller) {
    CgroupProblem problem{
        .limit = controller, .path = place.path + "/cgroup.controllers", .error = code_of(ENOTSUP)};
    const std::string holder = holder_of(place, controller);
    const KnownController known = look_up(controller);
    if (!holder.empty()) {
        problem.cause = "the controller '" + controller +
                        "' is not passed on (cgroup.subtree_control of " + holder + ")";
        problem.remedy =
            geteuid() == 0
                ? delegated_scope()
                : "as root: systemctl edit user@.service, with Delegate=cpu cpuset io memory pids";
    } else if (known.is_of_version_1) {
        problem.cause = "the controller '" + controller + "' is in use by cgroup v1";
        problem.remedy =
            "boot with systemd.unified_cgroup_hierarchy=1, or with cgroup_no_v1=" + controller;
    } else if (known.is_known && !known.is_enabled) {
        problem.cause = "the controller '" + controller + "' is switched off";
        problem.remedy = "boot without cgroup_disable=" + controller;
    } else {
        problem.cause = known.is_known
                            ? "this container is not given the controller '" + controller + "'"
                            : "this kernel has no controller '" + controller + "'";
    }
    return problem;
}

CgroupProblem problem_of_setting(const OpenedPlace& place, const CgroupSetting& setting,
                                 int error) {
    CgroupProblem problem{.limit = setting.limit,
                          .path = place.path + "/.../" + setting.file,
                          .error = code_of(error)};
    if (error == ENOENT) {
        problem.cause = "this kernel cannot limit that";
    } else if (error == ENODEV) {
        problem.cause = "there is no such device: '" + setting.text + "'";
    } else {
        problem.cause = "the kernel does not take '" + setting.text + "'";
    }
    return problem;
}

std::string CgroupProblem::to_string() const {
    return (limit.empty() ? "" : limit + ": ") + path + ": " + cause + " (" + error.message() +
           ")" + (remedy.empty() ? "" : "; " + remedy);
}

CgroupError::CgroupError(std::vector<CgroupProblem> problems)
    : std::system_error(problems.empty() ? std::error_code() : problems.front().error,
                        lines_of(problems)),
      problems_(std::move(problems)) {}

}  // namespace syncspawn::sandbox
