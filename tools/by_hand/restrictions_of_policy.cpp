// Restrictions beside a policy: what it has words for becomes a part of it.

#include <sched.h>
#include <sys/resource.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "identity_wish.hpp"
#include "restrictions.hpp"
#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

// True if the policy says the same. It has one number for both limits.
bool take_limit(sandbox::Limits& limits, const steps::ResourceLimit& limit) {
    const bool is_one = limit.soft == limit.hard && limit.soft;
    const bool is_finite = is_one && *limit.soft != RLIM_INFINITY;
    switch (limit.resource) {
        case RLIMIT_CORE:
            limits.core_size.reset();  // else the usual 0 would be the most that there can be
            if (is_finite) {
                limits.core_size = *limit.soft;
            }
            return is_finite;
        case RLIMIT_NOFILE:
            if (is_finite) {
                limits.open_files = *limit.soft;
            }
            return is_finite;
        case RLIMIT_FSIZE:
            if (is_finite) {
                limits.file_size = *limit.soft;
            }
            return is_finite;
        default:
            return false;
    }
}

void take_identity(sandbox::Privileges& privileges, const IdentityWish& wish) {
    if (wish.groups || wish.keeps_groups) {
        throw UsageError("--groups does not go with a policy, whose program has no further groups",
                         "leave --groups out, or lay the sandbox out by hand");
    }
    const steps::Identity identity = identity_for(wish);
    if (identity.user) {
        privileges.host_user = *identity.user;
    }
    if (identity.group) {
        privileges.host_group = *identity.group;
    }
}

void take_capabilities(std::vector<std::string>& kept,
                       const std::vector<CapabilityChange>& changes) {
    for (const CapabilityChange& change : changes) {
        const bool is_added = change.kind == CapabilityChange::Kind::add;
        if (change.name == "ALL" && !is_added) {
            kept.clear();
        } else if (is_added && change.name != "ALL") {
            kept.push_back(change.name);
        } else {
            throw UsageError(
                (is_added ? "--cap-add " : "--cap-drop ") + change.name +
                    " does not go with a policy, whose program has those that are added by name",
                "add those that it needs");
        }
    }
}

}  // namespace

void move_into(sandbox::Policy& policy, Restrictions& restrictions) {
    std::erase_if(restrictions.limits, [&](const steps::ResourceLimit& limit) {
        return take_limit(policy.limits, limit);
    });
    if (restrictions.nice) {
        policy.limits.nice = std::exchange(restrictions.nice, std::nullopt);
    }
    if (!restrictions.cpus.empty()) {
        policy.limits.allowed_cpus = std::exchange(restrictions.cpus, {});
    }
    if (restrictions.scheduling.value_or(SCHED_OTHER) != SCHED_OTHER) {
        policy.limits.scheduling = *restrictions.scheduling == SCHED_BATCH
                                       ? sandbox::Scheduling::batch
                                       : sandbox::Scheduling::idle;
        restrictions.scheduling.reset();
    }
    if (restrictions.identity.is_used()) {
        take_identity(policy.privileges, std::exchange(restrictions.identity, {}));
    }
    take_capabilities(policy.privileges.capabilities, std::exchange(restrictions.capabilities, {}));
    if (restrictions.no_new_privileges != Choice::by_manner) {
        policy.privileges.no_new_privileges = restrictions.no_new_privileges == Choice::on;
    }
    if (restrictions.new_keyring != Choice::by_manner) {
        policy.privileges.new_session_keyring = restrictions.new_keyring == Choice::on;
        restrictions.new_keyring = Choice::off;
    }
}

}  // namespace syncspawn::tools
