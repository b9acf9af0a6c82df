#pragma once

#include <string>

#include <syncspawn/sandbox/cgroup.hpp>

#include "place.hpp"

// What to say about what is refused: the true cause, and what to do.

namespace syncspawn::sandbox {

CgroupProblem problem_of_no_place(const Hierarchy& hierarchy);
CgroupProblem problem_of_opening(const std::string& path, int error);
CgroupProblem problem_of_threads(const std::string& path);
CgroupProblem problem_of_making(const OpenedPlace& place, int error);
CgroupProblem problem_of_birth(const std::string& file, int error);
// `limit` is the controller.
CgroupProblem problem_of_enabling(const OpenedPlace& place, const std::string& controller,
                                  int error);
CgroupProblem problem_of_absence(const OpenedPlace& place, const std::string& controller);
CgroupProblem problem_of_setting(const OpenedPlace& place, const CgroupSetting& setting, int error);

}  // namespace syncspawn::sandbox
