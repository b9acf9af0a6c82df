#pragma once

#include <string>
#include <vector>

#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "path_walk.hpp"

namespace syncspawn::sandbox {

// One path that a policy names: as it is written, and where it leads.
struct NamedPath {
    const char* list;  // "files.writable"
    FileAccess access;
    std::string written;
    Walk walk;

    [[nodiscard]] std::string where() const { return std::string(list) + " '" + written + "'"; }
};

// All that lead somewhere. What is wrong with a path is added to `problems`: that it is not absolute, does
// not exist though it must, cannot be looked at, or is named twice in ways that contradict each other.
std::vector<NamedPath> look_up(const Files& files, std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
