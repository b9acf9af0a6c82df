#pragma once

#include <syncspawn/sandbox/machine.hpp>

#include "finding.hpp"

namespace syncspawn::tools {

// What the kernel, this user and this process's confinement allow. Each tries it.
FindingGroup namespaces(const sandbox::Machine& machine);        // in a user namespace
FindingGroup namespaces_alone(const sandbox::Machine& machine);  // without one
FindingGroup identity(const sandbox::Machine& machine);
FindingGroup landlock(const sandbox::Machine& machine);
FindingGroup system_calls(const sandbox::Machine& machine);
FindingGroup cgroups(const sandbox::Machine& machine);
FindingGroup confinement(const sandbox::Machine& machine);
FindingGroup kernel_calls();

// What the library calls a cgroup's place means nothing on a command line.
void leave_out_names_of_the_library(std::string& text);
// Whether a file system can be laid over another in a user namespace, which is there.
sandbox::Ability try_overlay();
// Of all that was tried, what a seccomp filter of this process refuses.
sandbox::Ability try_system_calls(std::string& detail);

}  // namespace syncspawn::tools
