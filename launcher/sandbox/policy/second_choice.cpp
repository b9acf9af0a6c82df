#include "second_choice.hpp"

#include <algorithm>
#include <system_error>

namespace syncspawn::sandbox {
namespace {

// The versions that brought them.
constexpr int move_of_landlock = 2;      // Linux 5.19
constexpr int truncate_of_landlock = 3;  // Linux 6.2
constexpr int control_of_landlock = 5;   // Linux 6.10
constexpr int scopes_of_landlock = 6;    // Linux 6.12

std::string identifier_of(Guarantee guarantee) {
    std::string name(name_of(guarantee));
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
}

}  // namespace

SecondChoice files_by_landlock(const Machine& machine, bool may_filter) {
    const int version = machine.landlock_version;
    if (!machine.landlock) {
        return {.why_not = machine.landlock.cause};
    }
    if (takes_filter_of_truncate(machine) && !may_filter) {
        return {.why_not = "Landlock here is older than version 3, and takes a seccomp filter"};
    }
    return {
        .mechanism = "Landlock",
        .gap = std::string("names are seen, chmod and its kin work, ") +
               (version < move_of_landlock ? "nothing can be moved to another directory, " : "") +
               (takes_filter_of_truncate(machine) ? "truncate(2) fails everywhere, " : "") +
               (version < control_of_landlock ? "ioctl(2) of devices works, " : "") +
               "what is made later beside an excluded path stays closed, and all launches "
               "share one TMPDIR"};
}

bool takes_filter_of_truncate(const Machine& machine) noexcept {
    return machine.landlock_version < truncate_of_landlock;
}

SecondChoice network_by_families(const Policy& policy, const Machine& machine) {
    if (!policy.doors.empty()) {
        return {.why_not = "a door takes the namespace"};
    }
    if (!machine.system_call_filters) {
        return {.why_not = machine.system_call_filters.cause};
    }
    const std::string sockets = has_scopes(machine) ? "" : "abstract unix sockets are in reach";
    return {.mechanism = "socket families by seccomp",
            .gap = policy.network == Network::none
                       ? sockets
                       : "there is no loopback" + (sockets.empty() ? "" : ", and " + sockets)};
}

SecondChoice services_by_half(bool is_hidden, bool is_apart, bool is_scoped) {
    if (is_hidden) {
        return {.mechanism = "mounts alone", .gap = "abstract sockets are in reach"};
    }
    if (!is_apart && !is_scoped) {
        return {.mechanism = "nothing but the user's permissions",
                .gap = "all sockets are in reach"};
    }
    return {.mechanism = is_apart ? "the network namespace" : "Landlock's scopes",
            .gap = "sockets with a path are in reach"};
}

SecondChoice processes_by_landlock(const Machine& machine) {
    if (!has_scopes(machine)) {
        return {.why_not = why_no_scopes(machine) + "; processes.isolated = false does without"};
    }
    return {.mechanism = "Landlock's scope of signals",
            .gap =
                "processes outside are seen, and those that leave the process group outlive the "
                "launch"};
}

SecondChoice present_proc(const Ability& fresh_proc) {
    if (fresh_proc.refusal == std::errc::no_such_file_or_directory) {
        return {.why_not = "the present one is missing, too"};
    }
    return {.mechanism = "a pid namespace with the present /proc",
            .gap = "processes outside are seen in /proc, but not signalled"};
}

bool has_scopes(const Machine& machine) noexcept {
    return machine.landlock_version >= scopes_of_landlock;
}

std::string why_no_scopes(const Machine& machine) {
    return machine.landlock ? "Landlock here is older than version 6" : machine.landlock.cause;
}

std::string offer_of(Guarantee guarantee, const SecondChoice& second) {
    if (!second.mechanism.empty()) {
        return "; or name Guarantee::" + identifier_of(guarantee) + " in accept_weaker for " +
               second.mechanism + " (" + second.gap + ")";
    }
    return second.why_not.empty() ? "" : "; there is no second choice: " + second.why_not;
}

}  // namespace syncspawn::sandbox
