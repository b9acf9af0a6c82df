#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <syncspawn/launcher/birth.hpp>
#include <syncspawn/sandbox/enforcement.hpp>
#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/sandbox/policy_error.hpp>

#include "file_view.hpp"

namespace syncspawn::sandbox {

// Who launches. A member of its own so that a test can be somebody else.
struct Caller {
    uid_t user = 0;
    gid_t group = 0;
    bool has_sys_admin = false;  // whatever filters and modules leave of it
    bool may_change_ids = false;
    bool has_further_groups = false;
    bool has_nobody = true;  // to become: its user namespace may lack that id

    static Caller now();
};

enum class FilesBy { nothing, mounts, landlock };
enum class NetworkBy { nothing, socket_families, network_namespace };
enum class ProcBy { nothing, fresh, fresh_or_existing };

// Who the program is, inside and outside.
struct Ids {
    uid_t user = 0;
    gid_t group = 0;
    uid_t host_user = 0;
    gid_t host_group = 0;

    [[nodiscard]] bool are_the_same_inside() const noexcept {
        return user == host_user && group == host_group;
    }
};

// The mechanism of each guarantee, and what follows from it for the steps.
struct Decisions {
    std::vector<Holding> holdings{};
    Ids ids{};
    bool is_callers_identity = true;  // the program is outside who the caller is, groups included
    bool has_user_namespace = false;
    FilesBy files = FilesBy::nothing;
    NetworkBy network = NetworkBy::nothing;
    ProcBy proc = ProcBy::nothing;
    bool has_pid_namespace = false;
    bool has_ipc_namespace = false;
    bool scopes_signals_to_group = false;  // with a pid namespace; by Landlock
    bool leads_group = false;              // the same, where there is no Landlock
    bool scopes_abstract_sockets = false;  // by Landlock
    bool scopes_signals = false;           // the same
    bool has_filter = false;               // of system calls
    bool filters_nesting = false;          // user namespaces, without the default set
    bool filters_families = false;         // sockets that know no network namespace
    bool filters_truncate = false;         // which Landlock does not know before version 3
    bool has_cgroup = false;
    bool filters_affinity = false;     // the program cannot take other CPUs
    bool limits_each_process = false;  // by rlimits, what is meant for all together

    [[nodiscard]] Namespaces namespaces(const Policy& policy) const noexcept;
};

// What holds the policy on this machine. A guarantee that nothing can hold is added to `problems`.
Decisions decide(const Policy& policy, const FileView& view, const Machine& machine,
                 const Caller& caller, std::vector<Problem>& problems);

}  // namespace syncspawn::sandbox
