// Limits and privileges beside a policy: what it has words for becomes a part of it.

#include <sched.h>
#include <sys/resource.h>

#include <doctest/doctest.h>

#include "tools/by_hand/restrictions.hpp"
#include "tools/command_line/command_line.hpp"

namespace {

using syncspawn::sandbox::Policy;
using syncspawn::tools::CapabilityChange;
using syncspawn::tools::Choice;
using syncspawn::tools::move_into;
using syncspawn::tools::Restrictions;
using syncspawn::tools::UsageError;

constexpr auto add = CapabilityChange::Kind::add;
constexpr auto drop = CapabilityChange::Kind::drop;

TEST_CASE("limits that a policy has become its own") {
    Policy policy;
    Restrictions given{.limits = {{.resource = RLIMIT_NOFILE, .soft = 64, .hard = 64},
                                  {.resource = RLIMIT_FSIZE, .soft = 1000, .hard = 1000},
                                  {.resource = RLIMIT_CORE, .soft = 7, .hard = 7}},
                       .nice = 5,
                       .cpus = {0},
                       .scheduling = SCHED_IDLE};
    move_into(policy, given);
    CHECK(policy.limits.open_files == 64);
    CHECK(policy.limits.file_size == 1000);
    CHECK(policy.limits.core_size == 7);
    CHECK(policy.limits.nice == 5);
    CHECK(policy.limits.allowed_cpus == std::vector{0});
    CHECK(policy.limits.scheduling == syncspawn::sandbox::Scheduling::idle);
    CHECK(given.limits.empty());
    CHECK_FALSE(given.nice);
    CHECK(given.cpus.empty());
    CHECK_FALSE(given.scheduling);
}

TEST_CASE("limits that it has no word for stay, and are not in its way") {
    Policy policy;
    Restrictions given{.limits = {{.resource = RLIMIT_CORE, .soft = 0, .hard = RLIM_INFINITY},
                                  {.resource = RLIMIT_NPROC, .soft = 9, .hard = 9}},
                       .umask = 077};
    move_into(policy, given);
    CHECK(given.limits.size() == 2);
    CHECK(given.umask == 077);
    CHECK_FALSE(policy.limits.core_size);
    CHECK_FALSE(policy.limits.processes);
}

TEST_CASE("capabilities are those that were added, in order") {
    Policy policy{.privileges = {.capabilities = {"cap_chown"}}};
    Restrictions given{.capabilities = {{drop, "ALL"}, {add, "cap_kill"}, {add, "setuid"}}};
    move_into(policy, given);
    CHECK(policy.privileges.capabilities == std::vector<std::string>{"cap_kill", "setuid"});
    CHECK(given.capabilities.empty());
    for (const CapabilityChange& change :
         {CapabilityChange{add, "ALL"}, CapabilityChange{drop, "cap_kill"}}) {
        Restrictions wrong{.capabilities = {change}};
        CHECK_THROWS_AS(move_into(policy, wrong), UsageError);
    }
}

TEST_CASE("an identity is the one outside") {
    Policy policy;
    Restrictions given{.identity = {.user = "4711", .group = "4712"}};
    move_into(policy, given);
    CHECK(policy.privileges.host_user == 4711);
    CHECK(policy.privileges.host_group == 4712);
    CHECK_FALSE(given.identity.is_used());

    Restrictions without_group{.identity = {.user = "4711"}};
    CHECK_THROWS_AS(move_into(policy, without_group), UsageError);
    Restrictions with_groups{.identity = {.keeps_groups = true}};
    CHECK_THROWS_AS(move_into(policy, with_groups), UsageError);
}

TEST_CASE("defaults are turned off by name") {
    Policy policy;
    Restrictions none;
    move_into(policy, none);
    CHECK(policy == Policy{});
    Restrictions given{.no_new_privileges = Choice::off, .new_keyring = Choice::off};
    move_into(policy, given);
    CHECK_FALSE(policy.privileges.no_new_privileges);
    CHECK_FALSE(policy.privileges.new_session_keyring);
}

}  // namespace
