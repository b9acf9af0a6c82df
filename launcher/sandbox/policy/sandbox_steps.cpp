#include "sandbox_steps.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <syncspawn/sandbox/absent_paths.hpp>
#include <syncspawn/sandbox/cgroup.hpp>
#include <syncspawn/sandbox/landlock.hpp>
#include <syncspawn/sandbox/mounts.hpp>
#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/sandbox/privileges.hpp>
#include <syncspawn/sandbox/system_calls.hpp>
#include <syncspawn/steps.hpp>

#include "cgroup_limits.hpp"
#include "file_operations.hpp"
#include "filter.hpp"
#include "launcher/sandbox/child/process_group.hpp"
#include "launcher/sandbox/landlock/allow_list.hpp"
#include "private_directory.hpp"
#include "process_group.hpp"
#include "wall_clock.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr LandlockParts may_be_missing_for_files =
    LandlockParts::move | LandlockParts::truncate | LandlockParts::control | LandlockParts::log;

class Building {
public:
    Building(const Policy& policy, const FileView& view, const Decisions& decisions,
             const std::function<void(OpenDoor)>& doors, std::vector<Problem>& problems)
        : policy_(policy), view_(view), decisions_(decisions), doors_(doors), problems_(problems) {}

    SandboxSteps build() {
        into_ = &steps_.surroundings;
        enter_cgroup();
        end_processes();
        enter_user_namespace();
        settle_names();
        lay_out_files();
        open_network();
        set_limits();
        into_ = &steps_.restrictions;
        change_identity();
        open_doors_with_a_path();
        drop_privileges();
        restrict_by_landlock();
        watch_wall_clock();
        filter_system_calls();
        return std::move(steps_);
    }

private:
    // A step that cannot be made is a problem of the policy's member that wants it.
    template <class Make>
    void add(const char* where, Make make) {
        try {
            into_->push_back(make());
        } catch (const std::system_error& error) {
            problems_.push_back({.where = where, .what = error.what(), .code = error.code()});
        } catch (const std::invalid_argument& error) {
            problems_.push_back({where, error.what()});
        }
    }

    void enter_cgroup();
    void end_processes();
    void enter_user_namespace();
    void settle_names();
    void lay_out_files();
    void hold_places();
    void open_network();
    void set_limits();
    void change_identity();
    void open_doors_with_a_path();
    void drop_privileges();
    LandlockRules rules_for_files();
    void restrict_by_landlock();
    void watch_wall_clock();
    void filter_system_calls();

    const Policy& policy_;
    const FileView& view_;
    const Decisions& decisions_;
    const std::function<void(OpenDoor)>& doors_;
    std::vector<Problem>& problems_;
    SandboxSteps steps_;
    std::vector<Step>* into_ = nullptr;
};

void Building::enter_cgroup() {
    if (decisions_.has_cgroup) {
        add("limits", [&] { return cgroup(cgroup_limits_of(policy_, decisions_)); });
    }
}

// Without a pid namespace the kernel ends nobody but the program.
void Building::end_processes() {
    if (decisions_.scopes_signals) {
        into_->push_back(end_of_process_group());
    }
}

// So many of those that are wanted, or that this process may run on.
std::vector<int> cpus_for(double count, const std::vector<int>& wanted) {
    std::vector<int> chosen;
    for (const int cpu : wanted) {
        if (static_cast<double>(chosen.size()) < count) {
            chosen.push_back(cpu);
        }
    }
    if (!wanted.empty()) {
        return chosen;
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE && static_cast<double>(chosen.size()) < count;
             ++cpu) {
            if (CPU_ISSET(cpu, &allowed)) {
                chosen.push_back(static_cast<int>(cpu));
            }
        }
    }
    return chosen;
}

void Building::enter_user_namespace() {
    const Ids& ids = decisions_.ids;
    if (!decisions_.has_user_namespace) {
        return;
    }
    if (decisions_.is_callers_identity) {
        add("privileges.user", [&] { return map_own_id({.user = ids.user, .group = ids.group}); });
    } else {
        // Before the mounts: who has no id in the namespace can make no files there.
        add("privileges.host_user", [&] {
            return steps::map_ids({.users = {{.inside = ids.user, .outside = ids.host_user}},
                                   .groups = {{.inside = ids.group, .outside = ids.host_group}}});
        });
        add("privileges.host_user", [&] { return secure_bits(SecureBits::keep_capabilities); });
        add("privileges.host_user",
            [&] { return steps::become({.user = ids.user, .group = ids.group}); });
    }
    if (!policy_.privileges.nested_user_namespaces && !policy_.system_calls.default_deny_set) {
        add("privileges.nested_user_namespaces", no_nested_user_namespaces);
    }
}

void Building::settle_names() {
    if (!policy_.host_name.empty()) {
        add("host_name", [&] { return host_name(policy_.host_name); });
    }
    if (decisions_.leads_group) {
        into_->push_back({.name = "process group", .child = shared_memory(lead_process_group)});
    }
    if (policy_.privileges.new_session_keyring) {
        add("privileges.new_session_keyring",
            [] { return new_session_keyring(WithoutKeyrings::go_on); });
    }
}

void Building::lay_out_files() {
    if (decisions_.files == FilesBy::mounts) {
        hold_places();
        add("files", [&] {
            const FileOperations operations =
                operations_of(view_, decisions_.proc, policy_.limits.memory);
            return mounts(operations.all, operations.options);
        });
    }
}

// What does not exist, and must not come to be, has to exist to be covered. As late as possible, and no longer than
// the program and all that is in its mount namespace.
void Building::hold_places() {
    std::vector<std::string> absent;
    for (const FileRule& rule : view_.rules) {
        if (rule.access == FileAccess::protected_path && rule.kind == FileRule::Kind::absent) {
            absent.push_back(rule.path);
        }
    }
    if (!absent.empty()) {
        add("files.protected_paths", [&] { return keep_absent(std::move(absent)); });
    }
}

bool has_path(const Door& door) { return door.address.starts_with('/'); }

void Building::open_network() {
    if (decisions_.network != NetworkBy::network_namespace) {
        return;
    }
    add("network", loopback_up);
    for (const Door& one : policy_.doors) {
        if (!has_path(one)) {
            add("doors", [&] { return door(one, doors_, one.backlog); });
        }
    }
}

void Building::set_limits() {
    const Limits& wanted = policy_.limits;
    std::vector<steps::ResourceLimit> limits;
    const auto set = [&](int resource, rlim_t most) {
        limits.push_back({.resource = resource, .soft = most, .hard = most});
    };
    if (decisions_.limits_each_process && wanted.memory) {
        set(RLIMIT_AS, *wanted.memory);
    }
    if (decisions_.limits_each_process && wanted.processes) {
        set(RLIMIT_NPROC, *wanted.processes);
    }
    if (wanted.open_files) {
        set(RLIMIT_NOFILE, *wanted.open_files);
    }
    if (wanted.file_size) {
        set(RLIMIT_FSIZE, *wanted.file_size);
    }
    if (wanted.core_size) {
        set(RLIMIT_CORE, *wanted.core_size);
    }
    if (wanted.cpu_time) {
        set(RLIMIT_CPU, static_cast<rlim_t>(wanted.cpu_time->count()));
    }
    if (!limits.empty()) {
        add("limits", [&] { return steps::resource_limits(limits); });
    }
    if (decisions_.limits_each_process && wanted.cpus) {
        add("limits.cpus",
            [&] { return steps::cpu_affinity(cpus_for(*wanted.cpus, wanted.allowed_cpus)); });
    } else if (!wanted.allowed_cpus.empty()) {
        add("limits.allowed_cpus", [&] { return steps::cpu_affinity(wanted.allowed_cpus); });
    }
    if (wanted.nice) {
        add("limits.nice", [&] { return steps::nice(*wanted.nice); });
    }
    if (wanted.scheduling != Scheduling::usual) {
        const int kind = wanted.scheduling == Scheduling::batch ? SCHED_BATCH : SCHED_IDLE;
        add("limits.scheduling", [&] { return steps::scheduling_policy(kind); });
    }
}

void Building::change_identity() {
    if (!decisions_.has_user_namespace && decisions_.ids.host_user != 0 &&
        !decisions_.is_callers_identity) {
        const Ids& ids = decisions_.ids;
        add("privileges.host_user", [&] { return secure_bits(SecureBits::keep_capabilities); });
        add("privileges.host_user",
            [&] { return steps::become({.user = ids.host_user, .group = ids.host_group}); });
    }
}

// As the program: else it would not have the permission to connect.
void Building::open_doors_with_a_path() {
    for (const Door& one : policy_.doors) {
        if (has_path(one) && decisions_.network == NetworkBy::network_namespace) {
            add("doors", [&] { return door(one, doors_, one.backlog); });
        }
    }
}

void Building::drop_privileges() {
    add("privileges.capabilities", [&] {
        CapabilitySets sets = only_capabilities(policy_.privileges.capabilities);
        sets.without_setpcap = WithoutSetpcap::leave_bounding;
        return capabilities(sets);
    });
    if (policy_.privileges.no_new_privileges) {
        add("privileges.no_new_privileges", steps::no_new_privileges);
    }
}

// As long as somebody may launch, and then as long as the program runs: the Sandbox may be gone by then.
Step keeping(std::shared_ptr<const PrivateDirectory> directory) {
    return {.name = "private tmp",
            .before_start =
                [directory = std::move(directory)](ParentSide& side) {
                    side.state<std::shared_ptr<const PrivateDirectory>>() = directory;
                },
            .after_end = [](ParentSide&) {}};
}

LandlockRules Building::rules_for_files() {
    if (decisions_.files != FilesBy::landlock) {
        return {};
    }
    if (!view_.private_tmp.empty()) {
        auto directory = std::make_shared<const PrivateDirectory>(decisions_.ids);
        steps_.private_tmp = directory->path();
        into_->push_back(keeping(std::move(directory)));
    }
    return allow_list(view_, {.private_directory = steps_.private_tmp});
}

void Building::restrict_by_landlock() {
    const auto scope_if = [](bool holds, LandlockScopes scope) {
        return holds ? scope : LandlockScopes::none;
    };
    const LandlockScopes scopes =
        scope_if(decisions_.scopes_abstract_sockets, LandlockScopes::abstract_sockets) |
        scope_if(decisions_.scopes_signals || decisions_.scopes_signals_to_group,
                 LandlockScopes::signals);
    if (decisions_.files == FilesBy::landlock || scopes != LandlockScopes::none) {
        add("files", [&] {
            LandlockRules rules = rules_for_files();
            rules.scopes = scopes;
            // A second choice anyway, which an older kernel makes weaker still.
            return landlock(rules, {.may_be_missing = may_be_missing_for_files});
        });
    }
}

void Building::watch_wall_clock() {
    if (policy_.limits.wall_clock) {
        add("limits.wall_clock", [&] { return wall_clock(*policy_.limits.wall_clock); });
    }
}

void Building::filter_system_calls() {
    const SystemCallFilter filter = filter_of(policy_, decisions_, problems_);
    if (!filter.rules.empty()) {
        add("system_calls", [&] { return system_calls(filter); });
    }
}

}  // namespace

SandboxSteps steps_of(const Policy& policy, const FileView& view, const Decisions& decisions,
                      const std::function<void(OpenDoor)>& doors, std::vector<Problem>& problems) {
    return Building(policy, view, decisions, doors, problems).build();
}

}  // namespace syncspawn::sandbox
