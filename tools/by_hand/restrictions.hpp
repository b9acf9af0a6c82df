#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/synced_spawner.hpp>
#include <syncspawn/sandbox/landlock.hpp>
#include <syncspawn/sandbox/policy.hpp>
#include <syncspawn/steps.hpp>

#include "surroundings.hpp"

// What a program may not do, and who it is, as data, and made into steps of a launch.

namespace syncspawn::tools {

struct CapabilityChange {
    enum class Kind { add, drop } kind = Kind::add;
    std::string name{};  // "CAP_NET_ADMIN", "net_admin", or "ALL"
};

// Who the program is. Names and numbers as they were typed: they are looked up when the launch is planned.
struct IdentityWish {
    std::string user{};
    std::string group{};
    std::optional<std::vector<std::string>> groups{};  // --groups; empty: none
    bool keeps_groups = false;                         // --groups keep

    [[nodiscard]] bool is_used() const noexcept {
        return !user.empty() || !group.empty() || groups || keeps_groups;
    }
};

// A filter of system calls.
struct FilterSource {
    enum class Kind {
        program,   // --seccomp, --add-seccomp-fd: cBPF in a descriptor
        deny_set,  // --seccomp-policy default
        policy,    // --seccomp-policy FILE
    } kind = Kind::program;
    int descriptor = -1;
    std::string file{};
    std::string typed{};  // what errors call it: "--seccomp 9"
};

struct Restrictions {
    std::vector<steps::ResourceLimit> limits{};  // the last of a resource wins
    std::optional<int> nice{};
    std::vector<int> cpus{};  // --affinity; empty: those of this process
    std::optional<int> scheduling{};
    std::optional<int> oom_score_adj{};
    std::optional<mode_t> umask{};
    IdentityWish identity{};
    std::vector<CapabilityChange> capabilities{};  // in order
    Choice no_new_privileges = Choice::by_manner;
    Choice new_keyring = Choice::by_manner;
    sandbox::LandlockRules landlock{};
    std::vector<FilterSource> filters{};  // in order

    std::string first_option{};      // the first that was given: for errors
    std::string first_sandboxing{};  // the first for which the defaults of a sandbox hold

    [[nodiscard]] bool is_used() const noexcept { return !first_option.empty(); }
    // Whether the defaults of a sandbox hold: with capabilities, Landlock and filters, but not with what env(1),
    // nice(1) and setpriv(1) have, too.
    [[nodiscard]] bool is_sandboxing() const noexcept { return !first_sandboxing.empty(); }
    [[nodiscard]] bool has_landlock() const noexcept;
    // Those that filters are read from: the program gets none of them.
    [[nodiscard]] std::vector<int> descriptors() const;
};

// Adds limits, ids, capabilities, no_new_privs, Landlock and filters to a launch, in the order in which they have to
// be. Call it behind all that takes privileges or touches files. Of the spawner's options it reads whether there is a
// new user namespace.
//
// `manner` says what holds where nothing was said. None: nothing, as with a plain launch, or one whose policy has its
// own defaults.
//
// Filters are read from their descriptors here. Throws UsageError for what can never work, std::system_error for what
// the kernel lacks.
void add_to(SyncedSpawner& spawner, const Restrictions& restrictions, std::optional<Manner> manner);

// With a policy: what that has words for is said by the policy, and taken out of the restrictions. So it is checked and
// reported as all of the policy is. Throws UsageError for what does not go with one.
void move_into(sandbox::Policy& policy, Restrictions& restrictions);

}  // namespace syncspawn::tools
