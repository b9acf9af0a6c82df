#include <syncspawn/sandbox/cgroup.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Ability;
using sandbox::CgroupFacts;

constexpr std::array<const char*, 5> controllers{"memory", "pids", "cpu", "io", "hugetlb"};

Ability ability_of(const sandbox::CgroupProblem& problem) {
    return {problem.error, problem.path, problem.cause, problem.remedy};
}

Ability ability_of(const CgroupFacts& facts, const std::string& controller) {
    const auto& there = facts.controllers;
    if (std::find(there.begin(), there.end(), controller) != there.end()) {
        return {};
    }
    for (const sandbox::CgroupProblem& problem : facts.problems) {
        if (problem.limit == controller) {
            return ability_of(problem);
        }
    }
    return refusal(ENOTSUP, facts.parent, "the controller is not there", "");
}

// Of a cgroup of the launch alone, and of no other: this process may be in it.
int error_of_killing(const std::string& directory) {
    const std::string name = directory.substr(directory.rfind('/') + 1);
    if (!name.starts_with("syncspawn-launch-")) {
        return ESRCH;
    }
    const int file = open((directory + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC);
    const int error = file < 0 || write(file, "1", 1) != 1 ? errno : 0;
    close(file);
    return error;
}

// A child is born into a cgroup, with which it is killed before it executes anything.
Ability try_kill() {
    int error = ESRCH;
    SyncedSpawner spawner(SpawnOptions{.program = "true"});
    spawner.step(sandbox::cgroup({}));
    spawner.step({.name = "kill",
                  .child = shared_memory([](ChildSide&) {}),
                  .parent =
                      [&error](ParentSide& side) {
                          error =
                              error_of_killing(sandbox::read_cgroup(side.child_pid()).directory);
                      },
                  .order = StepOrder::child_first});
    spawner.step(
        {.name = "killed", .parent = [](ParentSide&) {}, .order = StepOrder::parent_first});
    const SpawnError end = error_of_steps(std::move(spawner));
    if (error == 0 && end.cause() == Cause::killed) {
        return {};
    }
    if (error == ENOENT) {
        return refusal(error, "cgroup.kill", "this kernel has no cgroup.kill", "Linux 5.14");
    }
    return refusal(error == 0 ? EIO : error, "cgroup.kill",
                   end ? end.what() : "what is in the cgroup lives on", "");
}

}  // namespace

void leave_out_names_of_the_library(std::string& text) {
    constexpr std::string_view moving = ", and let it move";
    if (const std::size_t begin = text.find(" (CgroupPlace::"); begin != std::string::npos) {
        text.erase(begin, text.find(')', begin) + 1 - begin);
    }
    if (text.ends_with(moving)) {
        text.erase(text.size() - moving.size());
    }
}

FindingGroup cgroups(const sandbox::Machine& machine) {
    FindingGroup group{"cgroups", "Cgroups"};
    const CgroupFacts facts = sandbox::cgroup_facts();
    const Ability mounted = facts.mount.empty() ? machine.cgroups : Ability();
    group.findings.push_back(
        finding_of("cgroups.version_2", "version 2", mounted, "mounted at " + facts.mount));
    const Ability& launch = machine.cgroups;
    group.findings.push_back(
        finding_of("cgroups.made", "one per launch", launch, "below " + facts.parent));
    for (const std::string controller : controllers) {
        group.findings.push_back(finding_of("cgroups." + controller, controller,
                                            launch ? ability_of(facts, controller) : launch));
    }
    group.findings.push_back(finding_of("cgroups.kill", "kill", launch ? try_kill() : launch));
    for (Finding& finding : group.findings) {
        leave_out_names_of_the_library(finding.remedy);
    }
    return group;
}

}  // namespace syncspawn::tools
