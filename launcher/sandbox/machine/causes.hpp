#pragma once

#include <optional>
#include <string>

#include <syncspawn/sandbox/machine.hpp>

#include "launcher/sandbox/child/probe.hpp"

namespace syncspawn::sandbox {

// What is known about this process and this kernel, to tell the causes of one errno apart.
struct Circumstances {
    std::optional<long long> most_user_namespaces{};  // user.max_user_namespaces
    std::optional<long long> unprivileged_clone{};    // kernel.unprivileged_userns_clone (Debian)
    std::optional<long long>
        apparmor_restriction{};      // kernel.apparmor_restrict_unprivileged_userns
    std::string apparmor_profile{};  // that confines this process; empty: none
    bool has_seccomp_filter = false;
    bool has_sys_admin = false;
    bool is_in_chroot = false;
    bool has_proc = true;        // of this pid namespace
    bool may_map_itself = true;  // false: root without CAP_SETFCAP, which Linux 5.12 asks for
    bool is_dumpable = true;  // false: since it has changed its ids; its files in /proc are root's

    static Circumstances of_this_thread();
};

// Each of these says what the findings mean.
Ability user_namespace_ability(const Findings& findings, const Circumstances& circumstances);
NamespaceAbilities namespace_abilities(const Findings& findings, const Ability& user_namespace,
                                       const Circumstances& circumstances);

// For a call that the probe has not come to, or that was refused.
Ability refused(int error, std::string call, std::string cause, std::string remedy);

}  // namespace syncspawn::sandbox
