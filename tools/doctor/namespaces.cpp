#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <string>
#include <string_view>

#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Ability;
using sandbox::Machine;

Ability can_be_made(const Machine& machine) {
    const Answer made =
        tried_in_child([] { return syscall(SYS_unshare, CLONE_NEWUSER) < 0 ? errno : 0; });
    return made.error == 0 ? Ability() : machine.user_namespace;
}

// What goes wrong once it is made: the map of ids comes last.
bool is_about_the_map(const Ability& ability) {
    return std::string_view(ability.call) == "/proc/self/uid_map";
}

void add_all(FindingGroup& group, const std::string& prefix,
             const sandbox::NamespaceAbilities& abilities) {
    const struct {
        const char* name;
        const char* label;
        const Ability& ability;
    } all[]{{"mount", "mount", abilities.mounts},
            {"pid", "pid", abilities.processes},
            {"fresh_proc", "a new /proc", abilities.fresh_proc},
            {"network", "network", abilities.network},
            {"ipc", "ipc", abilities.ipc},
            {"uts", "uts", abilities.host_name},
            {"cgroup", "cgroup", abilities.cgroup},
            {"time", "time", abilities.time}};
    for (const auto& one : all) {
        group.findings.push_back(finding_of(prefix + one.name, one.label, one.ability));
    }
}

}  // namespace

FindingGroup namespaces(const Machine& machine) {
    FindingGroup group{"user_namespace", "User namespace"};
    const Ability made = can_be_made(machine);
    const bool is_unmapped = !machine.user_namespace && is_about_the_map(machine.user_namespace);
    const Ability counts = made && is_unmapped ? Ability() : machine.user_namespace;
    group.findings.push_back(finding_of("user_namespace.made", "user", made));
    group.findings.push_back(
        finding_of("user_namespace.capabilities", "capabilities in it", made ? counts : made));
    add_all(group, "user_namespace.", machine.in_user_namespace);
    const Ability& mounts = machine.in_user_namespace.mounts;
    group.findings.push_back(
        finding_of("user_namespace.overlay", "overlay", mounts ? try_overlay() : mounts));
    return group;
}

FindingGroup namespaces_alone(const Machine& machine) {
    FindingGroup group{"alone", "Namespaces alone"};
    add_all(group, "alone.", machine.alone);
    return group;
}

}  // namespace syncspawn::tools
