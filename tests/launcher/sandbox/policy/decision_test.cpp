#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "launcher/sandbox/policy/checks.hpp"
#include "launcher/sandbox/policy/decision.hpp"

using namespace syncspawn;
using namespace syncspawn::sandbox;

namespace {

Ability no(int error, const char* cause) {
    return {{error, std::system_category()}, "unshare", cause, "do this"};
}

NamespaceAbilities none_because(const Ability& why) {
    return {why, why, why, why, why, why, why, why};
}

// An ordinary user's machine, as a new Debian has it.
Machine usual() {
    Machine machine;
    machine.alone = none_because(no(EPERM, "this process may not make one"));
    machine.landlock_version = 7;
    return machine;
}

// One where AppArmor takes the capabilities of a user namespace away.
Machine without_namespaces() {
    Machine machine = usual();
    machine.user_namespace = no(EPERM, "AppArmor takes away the capabilities");
    machine.in_user_namespace = none_because(machine.user_namespace);
    return machine;
}

Machine for_root() {
    Machine machine = usual();
    machine.alone = {};
    return machine;
}

struct Decided {
    Decisions decisions;
    std::vector<Problem> problems;

    // The mechanism, with "weaker: " in front of a second choice; empty: none.
    [[nodiscard]] std::string by(Guarantee guarantee) const {
        for (const Holding& holding : decisions.holdings) {
            if (holding.guarantee == guarantee) {
                return (holding.is_whole ? "" : "weaker: ") + holding.mechanism;
            }
        }
        return "";
    }
    [[nodiscard]] const Problem* refusal_of(Guarantee guarantee) const {
        const auto found = std::find_if(problems.begin(), problems.end(), [&](const Problem& one) {
            return one.guarantee == guarantee;
        });
        return found == problems.end() ? nullptr : &*found;
    }
    [[nodiscard]] bool has_problem(const std::string& where) const {
        return std::any_of(problems.begin(), problems.end(),
                           [&](const Problem& one) { return one.where == where; });
    }
};

constexpr Caller user{1000, 1000};
constexpr Caller root{0, 0};

FileView view_of(const Policy& policy) {
    FileView view{.rules = {{.path = "/", .access = FileAccess::read_only}}};
    if (policy.files.tree == Tree::host) {
        view.rules.front().access = FileAccess::writable;
    }
    view.private_tmp = policy.files.private_tmp ? "/tmp" : "";
    view.has_device_tree = policy.files.device_tree;
    return view;
}

Decided decided(const Policy& policy, const Machine& machine, const Caller& caller = user) {
    Decided result;
    result.decisions = decide(policy, view_of(policy), machine, caller, result.problems);
    return result;
}

constexpr Files untouched{.tree = Tree::host, .private_tmp = false, .device_tree = false};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a strict policy is held whole on a usual machine") {
    const Decided strict = decided({}, usual());
    CHECK(strict.problems.empty());
    CHECK(strict.by(Guarantee::files) == "a mount namespace");
    CHECK(strict.by(Guarantee::processes) == "a pid namespace with a /proc of its own");
    CHECK(strict.by(Guarantee::system_calls) == "a seccomp filter");
    CHECK(strict.decisions.has_user_namespace);
    CHECK(strict.decisions.namespaces({}) ==
          (Namespaces::user | Namespaces::mount | Namespaces::pid | Namespaces::ipc));
}

TEST_CASE("no network is held by what is cheapest, and by a namespace where that is missing") {
    CHECK(contains(decided({}, usual()).by(Guarantee::network), "socket families by seccomp"));
    Machine old = usual();
    old.landlock_version = 5;
    CHECK(decided({}, old).by(Guarantee::network) == "a network namespace");
    CHECK(decided({.network = Network::loopback}, usual()).by(Guarantee::network) ==
          "a network namespace");
    CHECK(decided({.doors = {{"proxy", "127.0.0.1:1"}}}, usual()).by(Guarantee::network) ==
          "a network namespace");
    CHECK(decided({.network = Network::host}, usual()).by(Guarantee::network).empty());
    CHECK(decided({.network = Network::host, .doors = {{"proxy", "127.0.0.1:1"}}}, usual())
              .has_problem("doors"));
}

TEST_CASE("what a machine cannot hold is refused, all of it at once, with cause and remedy") {
    const Decided refused = decided({.network = Network::loopback}, without_namespaces());
    CHECK(refused.problems.size() == 4);
    for (const Guarantee guarantee :
         {Guarantee::files, Guarantee::network, Guarantee::services, Guarantee::processes}) {
        CAPTURE(name_of(guarantee));
        const Problem* problem = refused.refusal_of(guarantee);
        REQUIRE(problem != nullptr);
        CHECK(problem->code == std::errc::operation_not_permitted);
        CHECK(contains(problem->what, "AppArmor takes away the capabilities"));
        CHECK(contains(problem->remedy, "do this; or name Guarantee::"));
        CHECK_FALSE(problem->mechanism.empty());
    }
}

TEST_CASE("a second choice is taken where the policy accepts it, and says what it cannot do") {
    const Policy policy{
        .accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes}};
    const Decided weaker = decided(policy, without_namespaces());
    CHECK(weaker.problems.empty());
    CHECK(weaker.by(Guarantee::files) == "weaker: Landlock");
    CHECK(weaker.by(Guarantee::services) == "weaker: Landlock's scopes");
    CHECK(weaker.by(Guarantee::processes) == "weaker: Landlock's scope of signals");
    CHECK(contains(weaker.by(Guarantee::network), "socket families"));
    for (const Holding& holding : weaker.decisions.holdings) {
        CHECK((holding.is_whole || !holding.gap.empty()));
    }
    CHECK_FALSE(weaker.decisions.has_user_namespace);
    CHECK(weaker.decisions.namespaces(policy) == Namespaces::none);
    // Only what was accepted.
    CHECK(decided({.accept_weaker = {Guarantee::files}}, without_namespaces())
              .refusal_of(Guarantee::processes) != nullptr);
}

TEST_CASE("where there is no second choice, accepting one does not help") {
    Machine bare = without_namespaces();
    bare.landlock_version = 0;
    bare.landlock = no(ENOSYS, "no Landlock");
    bare.system_call_filters = no(ENOSYS, "no seccomp");
    const Decided refused =
        decided({.accept_weaker = {Guarantee::files, Guarantee::network, Guarantee::system_calls,
                                   Guarantee::processes}},
                bare);
    CHECK(refused.refusal_of(Guarantee::files) != nullptr);
    CHECK(refused.refusal_of(Guarantee::network) != nullptr);
    CHECK(refused.refusal_of(Guarantee::processes) != nullptr);
    CHECK(refused.refusal_of(Guarantee::system_calls) != nullptr);
}

TEST_CASE("a covered /proc is no reason for another one by silence") {
    Machine container = usual();
    container.in_user_namespace.fresh_proc = no(EPERM, "parts of the present /proc are covered");
    const Decided refused = decided({}, container);
    REQUIRE(refused.refusal_of(Guarantee::processes) != nullptr);
    CHECK(contains(refused.refusal_of(Guarantee::processes)->remedy, "accept_weaker"));
    const Decided accepted = decided({.accept_weaker = {Guarantee::processes}}, container);
    CHECK(accepted.by(Guarantee::processes) == "weaker: a pid namespace with the present /proc");
    CHECK(accepted.decisions.proc == ProcBy::fresh_or_existing);
}

TEST_CASE(
    "an old Landlock takes a filter of truncate(2), and the gap says what else it leaves open") {
    const Policy policy{.files = {},
                        .network = Network::host,
                        .services = Services::host,
                        .processes = {.isolated = false},
                        .accept_weaker = {Guarantee::files}};
    Machine machine = without_namespaces();
    for (const int version : {1, 2, 3, 5}) {
        CAPTURE(version);
        machine.landlock_version = version;
        const Decided weaker = decided(policy, machine);
        CHECK(weaker.decisions.filters_truncate == (version < 3));
        const std::string gap = weaker.decisions.holdings.front().gap;
        CHECK(contains(gap, "nothing can be moved to another directory") == (version < 2));
        CHECK(contains(gap, "truncate(2) fails everywhere") == (version < 3));
        CHECK(contains(gap, "ioctl(2) of devices works") == (version < 5));
    }
    machine.landlock_version = 2;
    machine.system_call_filters = no(EPERM, "a filter");
    const Decided unfiltered = decided(policy, machine);
    REQUIRE(unfiltered.refusal_of(Guarantee::files) != nullptr);
    CHECK(contains(unfiltered.refusal_of(Guarantee::files)->remedy, "there is no second choice"));
}

TEST_CASE("services are held by hidden paths and closed abstract names, both") {
    CHECK(contains(decided({}, usual()).by(Guarantee::services), "abstract ones by Landlock"));
    Machine old = usual();
    old.landlock_version = 0;
    CHECK(contains(decided({}, old).by(Guarantee::services), "by the network namespace"));
    const Policy with_network{.network = Network::host};
    CHECK(decided(with_network, old).refusal_of(Guarantee::services) != nullptr);
    CHECK(decided({.network = Network::host, .services = Services::host}, old).problems.empty());
}

TEST_CASE("root of the host is nobody by default, and takes no user namespace for that") {
    const Decided by_default = decided({}, for_root(), root);
    CHECK(by_default.problems.empty());
    CHECK(by_default.decisions.ids.host_user == 65534);
    CHECK_FALSE(by_default.decisions.is_callers_identity);
    CHECK_FALSE(by_default.decisions.has_user_namespace);
    CHECK(decided({.privileges = {.host_user = 0, .host_group = 0}}, for_root(), root)
              .decisions.is_callers_identity);
    // Other numbers inside, or capabilities, are what a user namespace is for.
    CHECK(decided({.privileges = {.user = 0}}, for_root(), root).decisions.has_user_namespace);
    CHECK(decided({.privileges = {.capabilities = {"CAP_CHOWN"}}}, for_root(), root)
              .decisions.has_user_namespace);
}

TEST_CASE("root without CAP_SYS_ADMIN, as in a container, is an ordinary caller") {
    const Decided container = decided({}, usual(), root);
    CHECK(container.problems.empty());
    CHECK(container.decisions.has_user_namespace);
    CHECK(container.decisions.ids.host_user == 0);
    CHECK(decided({.privileges = {.host_user = 5}}, usual(), user)
              .has_problem("privileges.host_user"));
}

TEST_CASE("limits of all processes together take a cgroup with the right controllers") {
    Machine delegated = usual();
    delegated.cgroup_controllers = {"cpu", "memory", "pids"};
    const Policy policy{.limits = {.memory = 1'000'000'000, .processes = 10, .cpus = 1.5}};
    CHECK(decided(policy, delegated).by(Guarantee::limits) == "a cgroup");
    delegated.cgroup_controllers = {"memory", "pids"};
    const Decided refused = decided(policy, delegated);
    REQUIRE(refused.refusal_of(Guarantee::limits) != nullptr);
    CHECK(contains(refused.refusal_of(Guarantee::limits)->what, "the controller cpu is not there"));
    Policy accepting = policy;
    accepting.accept_weaker = {Guarantee::limits};
    CHECK(decided(accepting, delegated).by(Guarantee::limits) ==
          "weaker: rlimits and CPU affinity");
    accepting.privileges.host_user = 0;
    CHECK(decided(accepting, for_root(), root).has_problem("limits.processes"));
    // What only a cgroup knows has no second choice.
    for (const Limits& limits : {Limits{.memory_high = 1'000'000}, Limits{.swap = 0},
                                 Limits{.cpu_weight = 50}, Limits{.io_weight = 50}}) {
        const Policy cgroup_alone{.limits = limits, .accept_weaker = {Guarantee::limits}};
        CHECK(decided(cgroup_alone, for_root(), root).refusal_of(Guarantee::limits) != nullptr);
    }
}

TEST_CASE("a policy that asks for nothing takes no mechanism, and no user namespace") {
    const Policy open{.files = untouched,
                      .network = Network::host,
                      .services = Services::host,
                      .processes = {.isolated = false},
                      .limits = {.core_size = std::nullopt},
                      .system_calls = {.default_deny_set = false}};
    const Decided nothing = decided(open, without_namespaces());
    CHECK(nothing.problems.empty());
    CHECK(nothing.decisions.holdings.size() == 1);  // privileges
    CHECK_FALSE(nothing.decisions.has_user_namespace);
    CHECK(nothing.decisions.namespaces(open) == Namespaces::none);
}

TEST_CASE("members that exclude each other are problems") {
    CHECK(decided({.privileges = {.no_new_privileges = false}}, usual())
              .has_problem("privileges.no_new_privileges"));
    CHECK(decided({.processes = {.isolated = false, .outlive = true}}, usual())
              .has_problem("processes.outlive"));
    CHECK(decided({.processes = {.reaper = false, .outlive = true}}, usual())
              .has_problem("processes.outlive"));
    CHECK(decided({.host_name = "box"}, without_namespaces()).has_problem("host_name"));
}

TEST_CASE("numbers and names that make no sense are problems, all at once") {
    std::vector<Problem> problems;
    check_values({.doors = {{"a", "x"}, {"a", "y"}, {"", "z"}},
                  .limits = {.memory = 0,
                             .processes = 0,
                             .cpus = -1.0,
                             .cpu_time = std::chrono::seconds(0),
                             .wall_clock = std::chrono::seconds(-1)},
                  .privileges = {.user = static_cast<uid_t>(-1)},
                  .host_name = std::string(65, 'a')},
                 problems);
    CHECK(problems.size() == 9);
    problems.clear();
    check_values({}, problems);
    CHECK(problems.empty());
}
