#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include <syncspawn/steps.hpp>

#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Ability;

constexpr std::uint32_t first_of_range = 100000;
constexpr std::uint32_t size_of_range = 65536;

SyncedSpawner in_user_namespace() {
    return SyncedSpawner(
        SpawnOptions{.program = "true", .birth = {.namespaces = Namespaces::user}});
}

Ability ability_of(const SpawnError& error, const std::string& call, const std::string& remedy) {
    if (!error) {
        return {};
    }
    const std::string& cause = error.hint().empty() ? error.detail() : error.hint();
    return {error.code(), call, cause.empty() ? error.what() : cause, remedy};
}

// Root inside is the caller, and its parent says so.
Ability try_map_by_parent() {
    SyncedSpawner spawner = in_user_namespace();
    spawner.step(steps::map_root());
    return ability_of(error_of_steps(std::move(spawner)), "/proc/PID/uid_map",
                      "see user_namespaces(7)");
}

// Whoever may change ids writes it himself.
Ability try_range() {
    const steps::IdRange range{.inside = 0, .outside = first_of_range, .count = size_of_range};
    SyncedSpawner spawner = in_user_namespace();
    spawner.step(steps::map_ids({.users = {range}, .groups = {range}}));
    Ability ability = ability_of(error_of_steps(std::move(spawner)), "/proc/PID/uid_map",
                                 "CAP_SETUID and CAP_SETGID, or subordinate ids");
    if (!ability && geteuid() != 0) {
        ability.cause = "a user without CAP_SETUID and CAP_SETGID maps his own id alone";
    }
    return ability;
}

// "/etc/subuid has no ids for 'me': usermod --add-subuids" is both, cause and remedy.
Finding subordinate_ids() {
    SyncedSpawner spawner = in_user_namespace();
    spawner.step(steps::map_subordinate_ids());
    const SpawnError error = error_of_steps(std::move(spawner));
    Finding finding = finding_of("ids.subordinate", "subordinate ids",
                                 ability_of(error, "newuidmap", "see subuid(5) and newuidmap(1)"));
    if (!error.detail().empty()) {
        finding.cause = error.detail();
    }
    constexpr std::string_view usermod = ": usermod";
    constexpr std::string_view missing = " is not installed";
    if (const std::size_t at = finding.cause.find(usermod); at != std::string::npos) {
        finding.error.clear();  // it is nobody's but the library's
        finding.remedy =
            "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER";
        finding.cause.erase(at);
    } else if (const std::size_t end = finding.cause.find(missing); end != std::string::npos) {
        finding.remedy = "install it (Debian: the package uidmap)";
        finding.cause.erase(end + missing.size());
    }
    return finding;
}

}  // namespace

FindingGroup identity(const sandbox::Machine& machine) {
    const Ability& user = machine.user_namespace;
    FindingGroup group{"ids", "Ids in it"};
    group.findings.push_back(finding_of("ids.own", "own id", user));
    group.findings.push_back(
        finding_of("ids.by_parent", "root by the parent", user ? try_map_by_parent() : user));
    group.findings.push_back(user ? subordinate_ids()
                                  : finding_of("ids.subordinate", "subordinate ids", user));
    group.findings.push_back(finding_of("ids.range", "ranges", user ? try_range() : user));
    return group;
}

}  // namespace syncspawn::tools
