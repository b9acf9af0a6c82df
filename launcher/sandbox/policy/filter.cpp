#include "filter.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>

namespace syncspawn::sandbox {
namespace {

void take_out(SystemCallFilter& filter, const std::string& name) {
    for (CallRule& rule : filter.rules) {
        std::erase(rule.calls, name);
    }
    std::erase_if(filter.rules,
                  [](const CallRule& rule) { return rule.calls.empty() && rule.numbers.empty(); });
}

bool is_in_default_set(const std::string& name) {
    const SystemCallFilter all = default_deny_set(Tracing::refused);
    return std::any_of(all.rules.begin(), all.rules.end(), [&](const CallRule& rule) {
        return std::find(rule.calls.begin(), rule.calls.end(), name) != rule.calls.end();
    });
}

SystemCallFilter deny_set_of(const Policy& policy, const Decisions& decisions,
                             std::vector<Problem>& problems) {
    if (!policy.system_calls.default_deny_set) {
        return {};
    }
    SystemCallFilter filter =
        default_deny_set(decisions.has_pid_namespace ? Tracing::allowed : Tracing::refused);
    if (policy.privileges.nested_user_namespaces) {
        for (const char* name : {"clone", "clone3", "unshare"}) {
            take_out(filter, name);
        }
    }
    for (const std::string& name : policy.system_calls.allowed) {
        take_out(filter, name);
        if (!is_in_default_set(name)) {
            problems.push_back(
                {"system_calls.allowed '" + name + "'",
                 "is not in the default set: it is allowed anyway, or no system call",
                 "leave it out"});
        }
    }
    return filter;
}

// Those of the default set, where the policy does without that.
std::vector<CallRule> rules_against_nesting() {
    std::vector<CallRule> rules = default_deny_set(Tracing::refused).rules;
    std::erase_if(rules, [](const CallRule& rule) {
        const std::string first = rule.calls.empty() ? "" : rule.calls.front();
        return first != "unshare" && first != "clone" && first != "clone3";
    });
    return rules;
}

// Not even sockets that reach nothing, by whatever mechanism.
bool is_without_network(const Policy& policy) noexcept {
    return policy.network == Network::none && policy.doors.empty();
}

void put_in_front(SystemCallFilter& filter, std::vector<CallRule> rules) {
    filter.rules.insert(filter.rules.begin(), std::make_move_iterator(rules.begin()),
                        std::make_move_iterator(rules.end()));
}

}  // namespace

SystemCallFilter filter_of(const Policy& policy, const Decisions& decisions,
                           std::vector<Problem>& problems) {
    SystemCallFilter filter =
        decisions.has_filter ? deny_set_of(policy, decisions, problems) : SystemCallFilter();
    if (decisions.has_filter && !policy.system_calls.denied.empty()) {
        put_in_front(filter,
                     {{.calls = policy.system_calls.denied, .action = CallAction::error(EPERM)}});
    }
    if (decisions.filters_nesting) {
        put_in_front(filter, rules_against_nesting());
    }
    if (decisions.filters_truncate) {
        put_in_front(filter,
                     {{.calls = {"truncate", "truncate64"}, .action = CallAction::error(EPERM)}});
    }
    if (decisions.network == NetworkBy::socket_families ||
        (decisions.filters_families && is_without_network(policy))) {
        put_in_front(filter, socket_families({AF_UNIX}).rules);
    } else if (decisions.filters_families) {
        // vsock and its kin know no network namespace.
        put_in_front(filter, socket_families({AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}).rules);
    }
    return filter;
}

}  // namespace syncspawn::sandbox
