#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <syncspawn/sandbox/cgroup.hpp>

#include "cgroup_files.hpp"
#include "launch_cgroup.hpp"
#include "place.hpp"
#include "problems.hpp"
#include "sweep.hpp"

namespace syncspawn::sandbox {
namespace {

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// The errno by which the kernel would refuse to enable a controller that is there, or 0.
int refusal_to_enable(const OpenedPlace& place, CgroupPlace::Caller caller) {
    if (faccessat(place.directory.get(), "cgroup.subtree_control", W_OK, AT_EACCESS) < 0) {
        return errno;
    }
    const InTheWay way = who_is_in_the_way(place);
    const bool is_free = way == InTheWay::nobody ||
                         (way == InTheWay::this_process && caller == CgroupPlace::Caller::moves);
    return is_free ? 0 : EBUSY;
}

void try_to_make(OpenedPlace& place) {
    LaunchCgroup trial;
    const CgroupFailure failure = trial.make(place.directory.get(), place.path, CgroupUse::trial);
    if (failure.error != 0) {
        place.problems.push_back(problem_of_making(place, failure.error));
    } else {
        (void)trial.remove();
        check_birth(place);
    }
}

void find_controllers(const OpenedPlace& place, CgroupPlace::Caller caller, CgroupFacts& facts) {
    static constexpr std::array names{"memory", "pids", "cpu", "io", "hugetlb"};
    const auto there = words_in(place.directory.get(), "cgroup.controllers");
    const auto passed_on = words_in(place.directory.get(), "cgroup.subtree_control");
    for (const std::string name : names) {
        const bool is_passed_on = contains(passed_on, name);
        const bool is_there = is_passed_on || contains(there, name);
        const int refusal = is_passed_on || !is_there ? 0 : refusal_to_enable(place, caller);
        if (is_there && refusal == 0) {
            facts.controllers.push_back(name);
        } else {
            facts.problems.push_back(is_there ? problem_of_enabling(place, name, refusal)
                                              : problem_of_absence(place, name));
        }
    }
}

}  // namespace

CgroupFacts cgroup_facts(const CgroupPlace& place) {
    const Hierarchy hierarchy = find_hierarchy();
    OpenedPlace opened = open_place(place);
    CgroupFacts facts{.mount = hierarchy.mount, .own = hierarchy.own};
    if (opened.directory) {
        sweep_below(opened.directory.get());
        try_to_make(opened);
    }
    facts.problems = std::move(opened.problems);
    if (facts.problems.empty()) {
        facts.parent = opened.path;
        find_controllers(opened, place.caller, facts);
    }
    return facts;
}

}  // namespace syncspawn::sandbox
