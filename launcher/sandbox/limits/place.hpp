#pragma once

#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/cgroup.hpp>

#include "hierarchy.hpp"
#include "settings.hpp"

namespace syncspawn::sandbox {

// The cgroup that gets those of launches.
struct OpenedPlace {
    std::string mount;
    std::string path;
    UniqueFd directory;
    std::vector<CgroupProblem> problems;  // why there is none
};
OpenedPlace open_place(const CgroupPlace& place);

// The same, with the controllers enabled that the settings need. They are tried on a cgroup that is removed again;
// what is refused is among the problems.
OpenedPlace prepare_place(const CgroupPlace& place, const std::vector<CgroupSetting>& settings);

// To be born somewhere takes the right to write where the ways part (cgroups(7), "delegation containment"). Adds a
// problem if there is none.
void check_birth(OpenedPlace& place);

// Whether this process keeps a cgroup from passing controllers on, or others do.
enum class InTheWay { nobody, this_process, others };
InTheWay who_is_in_the_way(const OpenedPlace& place);

}  // namespace syncspawn::sandbox
