#include "decision.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "program_user.hpp"
#include "second_choice.hpp"

namespace syncspawn::sandbox {
namespace {

class Decision {
public:
    Decision(const Policy& policy, const FileView& view, const Machine& machine,
             const Caller& caller, std::vector<Problem>& problems)
        : policy_(policy), view_(view), machine_(machine), caller_(caller), problems_(problems) {}

    Decisions take_all() {
        decide_identity();
        decide_files();
        decide_network();
        decide_services();
        decide_processes();
        decide_privileges();
        decide_system_calls();
        decide_limits();
        settle_user_namespace();
        require_privileges_of_locks();
        return std::move(result_);
    }

private:
    [[nodiscard]] bool may_be_weaker(Guarantee guarantee) const {
        const auto& list = policy_.accept_weaker;
        return std::find(list.begin(), list.end(), guarantee) != list.end();
    }

    void hold(Guarantee guarantee, std::string mechanism, std::string gap = {}) {
        result_.holdings.push_back({guarantee, std::move(mechanism), true, std::move(gap)});
    }

    // Takes the second choice if the policy accepts it; else the guarantee is refused.
    bool take_second(Guarantee guarantee, const char* first, const Ability& why,
                     const SecondChoice& second) {
        if (may_be_weaker(guarantee) && !second.mechanism.empty()) {
            result_.holdings.push_back({guarantee, second.mechanism, false, second.gap});
            return true;
        }
        problems_.push_back({.where = std::string(name_of(guarantee)),
                             .what = "cannot be held whole here: " + why.cause,
                             .remedy = why.remedy + offer_of(guarantee, second),
                             .code = why.refusal,
                             .guarantee = guarantee,
                             .mechanism = first});
        return false;
    }

    [[nodiscard]] bool is_root_of_host() const {
        return caller_.user == 0 && (machine_.alone.mounts || caller_.has_sys_admin);
    }

    void decide_identity() {
        const Privileges& wanted = policy_.privileges;
        const bool is_root = is_root_of_host();
        Ids& ids = result_.ids;
        const bool becomes_nobody = is_root && caller_.has_nobody;
        const bool changes = becomes_nobody || (is_root && wanted.host_user);
        ids.host_user = wanted.host_user.value_or(becomes_nobody ? nobody : caller_.user);
        ids.host_group = wanted.host_group.value_or(changes ? ids.host_user : caller_.group);
        ids.user = wanted.user.value_or(ids.host_user);
        ids.group = wanted.group.value_or(ids.host_group);
        // Who may not change its groups keeps them, as the kernel demands.
        const bool drops_groups = caller_.may_change_ids && caller_.has_further_groups;
        result_.is_callers_identity =
            ids.host_user == caller_.user && ids.host_group == caller_.group && !drops_groups;
        if (!is_root && !caller_.may_change_ids && !result_.is_callers_identity) {
            problems_.push_back({"privileges.host_user",
                                 "only who has CAP_SETUID and CAP_SETGID can launch a program as "
                                 "another user",
                                 "leave host_user and host_group out"});
        }
        // Where neither way leads to mounts, the direct one tells root why.
        const bool takes_it_for_mounts =
            !machine_.alone.mounts && (!is_root || machine_.user_namespace);
        result_.has_user_namespace =
            takes_it_for_mounts || !ids.are_the_same_inside() || !wanted.capabilities.empty();
    }

    [[nodiscard]] const NamespaceAbilities& abilities() const noexcept {
        return result_.has_user_namespace ? machine_.in_user_namespace : machine_.alone;
    }

    [[nodiscard]] bool has_file_rules() const {
        return view_.rules.size() > 1 || view_.rules.front().access != FileAccess::writable ||
               !view_.private_tmp.empty() || view_.has_device_tree || !view_.trees.empty();
    }

    void decide_files() {
        if (!has_file_rules()) {
            // A new /proc is mounted all the same.
            result_.files = policy_.processes.isolated && abilities().mounts ? FilesBy::mounts
                                                                             : FilesBy::nothing;
        } else if (abilities().mounts) {
            result_.files = FilesBy::mounts;
            hold(Guarantee::files, "a mount namespace");
        } else if (take_second(
                       Guarantee::files, "a mount namespace", abilities().mounts,
                       view_.trees.empty()
                           ? files_by_landlock(machine_, may_filter())
                           : SecondChoice{.why_not = "a tree of a descriptor takes mounts"})) {
            result_.files = FilesBy::landlock;
            result_.filters_truncate = takes_filter_of_truncate(machine_);
        }
    }

    void decide_network() {
        if (policy_.network == Network::host && policy_.doors.empty()) {
            return;
        }
        const bool is_none = policy_.network == Network::none && policy_.doors.empty();
        if (policy_.network == Network::host) {
            problems_.push_back({"doors", "there are doors, but the network is the host's",
                                 "make the network none or loopback"});
        } else if (is_none && machine_.system_call_filters && has_scopes(machine_)) {
            result_.network = NetworkBy::socket_families;
            result_.scopes_abstract_sockets = true;
            hold(Guarantee::network, "socket families by seccomp, abstract sockets by Landlock");
        } else if (abilities().network) {
            result_.network = NetworkBy::network_namespace;
            result_.filters_families = may_filter();
            hold(Guarantee::network, "a network namespace",
                 result_.filters_families
                     ? ""
                     : "sockets that know no namespaces, such as vsock, can be made");
        } else if (take_second(Guarantee::network, "a network namespace", abilities().network,
                               network_by_families(policy_, machine_))) {
            result_.network = NetworkBy::socket_families;
            result_.scopes_abstract_sockets = has_scopes(machine_);
        }
    }

    void decide_services() {
        if (policy_.services == Services::host) {
            return;
        }
        const bool is_hidden = result_.files == FilesBy::mounts;
        const bool is_apart = result_.network == NetworkBy::network_namespace;
        if (is_hidden && (is_apart || has_scopes(machine_))) {
            result_.scopes_abstract_sockets = result_.scopes_abstract_sockets || !is_apart;
            hold(Guarantee::services,
                 std::string("sockets with a path hidden by mounts, abstract ones by ") +
                     (is_apart ? "the network namespace" : "Landlock"),
                 "a service that begins to listen later, at a path in sight, is in reach");
            return;
        }
        const Ability no_scopes{
            .refusal = std::make_error_code(std::errc::not_supported),
            .call = "landlock_create_ruleset",
            .cause = why_no_scopes(machine_),
            .remedy = machine_.landlock ? "Linux 6.12" : machine_.landlock.remedy};
        const bool takes_scopes = !is_apart && has_scopes(machine_);
        if (take_second(Guarantee::services, is_hidden ? "Landlock" : "mounts",
                        is_hidden ? no_scopes : abilities().mounts,
                        services_by_half(is_hidden, is_apart, takes_scopes))) {
            result_.scopes_abstract_sockets = result_.scopes_abstract_sockets || takes_scopes;
        }
    }

    void decide_processes() {
        const Processes& wanted = policy_.processes;
        if (!wanted.isolated) {
            if (wanted.outlive) {
                problems_.push_back({"processes.outlive", "takes a pid namespace of its own",
                                     "leave processes.isolated on"});
            }
            return;
        }
        if (wanted.outlive && !wanted.reaper) {
            problems_.push_back(
                {"processes.outlive", "takes the reaper", "leave processes.reaper on"});
        }
        if (abilities().processes && abilities().mounts) {
            result_.has_pid_namespace = true;
            result_.has_ipc_namespace = static_cast<bool>(abilities().ipc);
            keep_from_group();
            decide_proc();
            return;
        }
        const Ability& why = abilities().processes ? abilities().mounts : abilities().processes;
        if (take_second(Guarantee::processes, "a pid namespace", why,
                        processes_by_landlock(machine_))) {
            result_.scopes_signals = true;
        }
    }

    // kill(0, ...) reaches all of the process group that a program is born into, also those outside its pid
    // namespace. Landlock leaves it in the group, which a terminal may have in the foreground.
    void keep_from_group() {
        result_.scopes_signals_to_group =
            has_scopes(machine_) && policy_.privileges.no_new_privileges;
        result_.leads_group = !result_.scopes_signals_to_group;
    }

    void decide_proc() {
        if (abilities().fresh_proc) {
            result_.proc = ProcBy::fresh;
            hold(Guarantee::processes, "a pid namespace with a /proc of its own");
        } else if (take_second(Guarantee::processes, "a /proc of its own", abilities().fresh_proc,
                               present_proc(abilities().fresh_proc))) {
            result_.proc = ProcBy::fresh_or_existing;
        }
    }

    // Also what is no filter of its own in the policy. It takes no_new_privs.
    [[nodiscard]] bool may_filter() const {
        return machine_.system_call_filters && policy_.privileges.no_new_privileges;
    }

    void decide_privileges() {
        const bool is_left_out =
            !policy_.privileges.nested_user_namespaces && !policy_.system_calls.default_deny_set;
        result_.filters_nesting = is_left_out && may_filter();
        hold(Guarantee::privileges,
             policy_.privileges.no_new_privileges ? "capability sets and no_new_privs"
                                                  : "capability sets",
             is_left_out && !result_.filters_nesting && !result_.has_user_namespace
                 ? "it may make user namespaces"
                 : "");
    }

    void decide_system_calls() {
        const SystemCalls& wanted = policy_.system_calls;
        result_.has_filter = wanted.default_deny_set || !wanted.denied.empty();
        if (!result_.has_filter) {
            return;
        }
        if (machine_.system_call_filters) {
            hold(Guarantee::system_calls, "a seccomp filter");
        } else {
            (void)take_second(Guarantee::system_calls, "seccomp", machine_.system_call_filters, {});
        }
    }

    void decide_common_limits();
    void decide_limits();
    void settle_user_namespace();
    void require_privileges_of_locks();

    const Policy& policy_;
    const FileView& view_;
    const Machine& machine_;
    const Caller& caller_;
    std::vector<Problem>& problems_;
    Decisions result_;
};

// What nothing else knows.
bool takes_cgroup(const Limits& wanted) noexcept {
    return wanted.memory_high || wanted.swap || wanted.cpu_weight || wanted.io_weight;
}

// Of all processes together.
void Decision::decide_common_limits() {
    const Limits& wanted = policy_.limits;
    Ability why = machine_.cgroups;
    const auto require = [&](bool is_wanted, const char* controller) {
        const auto& all = machine_.cgroup_controllers;
        if (is_wanted && why && std::find(all.begin(), all.end(), controller) == all.end()) {
            why = {.refusal = std::make_error_code(std::errc::not_supported),
                   .call = "cgroup.subtree_control",
                   .cause = std::string("the controller ") + controller +
                            " is not there for cgroups made here",
                   .remedy = "a delegated cgroup that has it, as by systemd-run -p Delegate=yes"};
        }
    };
    require(wanted.memory || wanted.memory_high || wanted.swap, "memory");
    require(wanted.processes.has_value(), "pids");
    require(wanted.cpus || wanted.cpu_weight, "cpu");
    require(wanted.io_weight.has_value(), "io");
    if (why) {
        result_.has_cgroup = true;
        hold(Guarantee::limits, "a cgroup");
        return;
    }
    result_.limits_each_process = take_second(
        Guarantee::limits, "a cgroup", why,
        takes_cgroup(wanted)
            ? SecondChoice{.why_not = "memory_high, swap, cpu_weight and io_weight take a cgroup"}
            : SecondChoice{
                  .mechanism = "rlimits and CPU affinity",
                  .gap = "memory is limited for each process, processes for the whole "
                         "user, and CPUs are shared with others" +
                         std::string(wanted.cpus && !may_filter() ? ", which it can leave" : "")});
    result_.filters_affinity = result_.limits_each_process && wanted.cpus && may_filter();
    if (result_.limits_each_process && wanted.processes && result_.ids.host_user == 0) {
        problems_.push_back({"limits.processes", "does not bind root of the host",
                             is_root_of_host() || caller_.may_change_ids
                                 ? "name another privileges.host_user"
                                 : "launch it as another user"});
    }
}

void Decision::decide_limits() {
    const Limits& wanted = policy_.limits;
    if (wanted.memory || wanted.processes || wanted.cpus || takes_cgroup(wanted)) {
        decide_common_limits();
    }
    if (wanted.open_files || wanted.file_size || wanted.core_size || wanted.cpu_time) {
        hold(Guarantee::limits, "rlimits");
    }
    if (wanted.nice || wanted.scheduling != Scheduling::usual || !wanted.allowed_cpus.empty()) {
        hold(Guarantee::limits, "the scheduler");
    }
    if (wanted.wall_clock) {
        hold(Guarantee::limits, "a watch on the wall clock",
             result_.has_pid_namespace ? "" : "only the program itself is ended");
    }
}

// There is none for what takes no namespace.
void Decision::settle_user_namespace() {
    const bool is_for_itself =
        !result_.ids.are_the_same_inside() || !policy_.privileges.capabilities.empty();
    if (is_for_itself && !machine_.user_namespace) {
        (void)take_second(Guarantee::privileges, "a user namespace", machine_.user_namespace, {});
    }
    if (!policy_.host_name.empty() && !abilities().host_name) {
        const Ability& why = abilities().host_name;
        problems_.push_back({.where = "host_name",
                             .what = "cannot be another here: " + why.cause,
                             .remedy = why.remedy,
                             .code = why.refusal,
                             .mechanism = "a UTS namespace"});
    }
    const bool has_namespaces = result_.files == FilesBy::mounts || result_.has_pid_namespace ||
                                result_.network == NetworkBy::network_namespace ||
                                !policy_.host_name.empty();
    result_.has_user_namespace =
        result_.has_user_namespace && (is_for_itself || has_namespaces) && machine_.user_namespace;
}

// Filters and rulesets are for those who cannot gain privileges by them.
void Decision::require_privileges_of_locks() {
    const bool has_locks = result_.has_filter || result_.network == NetworkBy::socket_families ||
                           result_.files == FilesBy::landlock || result_.scopes_abstract_sockets ||
                           result_.scopes_signals;
    if (has_locks && !policy_.privileges.no_new_privileges) {
        problems_.push_back({"privileges.no_new_privileges",
                             "is off, but seccomp and Landlock take it",
                             "leave it on, or turn system_calls.default_deny_set off and name "
                             "Network::host and Services::host"});
    }
}

}  // namespace

Caller Caller::now() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    syscall(SYS_capget, &header, data);
    const auto has = [&data](unsigned capability) {
        return (data[0].effective & (1U << capability)) != 0;
    };
    return {.user = geteuid(),
            .group = getegid(),
            .has_sys_admin = has(CAP_SYS_ADMIN),
            .may_change_ids = has(CAP_SETUID) && has(CAP_SETGID),
            .has_further_groups = getgroups(0, nullptr) > 0,
            .has_nobody = nobody_is_mapped()};
}

Namespaces Decisions::namespaces(const Policy& policy) const noexcept {
    const auto if_so = [](bool holds, Namespaces which) {
        return holds ? which : Namespaces::none;
    };
    return if_so(has_user_namespace, Namespaces::user) |
           if_so(files == FilesBy::mounts, Namespaces::mount) |
           if_so(has_pid_namespace, Namespaces::pid) | if_so(has_ipc_namespace, Namespaces::ipc) |
           if_so(network == NetworkBy::network_namespace, Namespaces::network) |
           if_so(!policy.host_name.empty(), Namespaces::uts);
}

Decisions decide(const Policy& policy, const FileView& view, const Machine& machine,
                 const Caller& caller, std::vector<Problem>& problems) {
    return Decision(policy, view, machine, caller, problems).take_all();
}

}  // namespace syncspawn::sandbox
