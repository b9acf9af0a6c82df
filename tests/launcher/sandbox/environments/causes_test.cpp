// What is told of single refusals, and what that means for a policy.

#include "scene.hpp"

#include <sys/syscall.h>

#include <cerrno>

#include "support/observe.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

#define SKIP_IF_SOMETHING_IS_MISSING()                                          \
    if (const std::string missing = what_is_missing_here(); !missing.empty()) { \
        SKIP_TEST(missing);                                                     \
    }

// In a peer: the only problem of this policy.
Problem only_problem(const Policy& policy, int line = __builtin_LINE()) {
    try {
        const Sandbox sandbox(policy);
    } catch (const PolicyError& error) {
        expect_same(static_cast<long long>(error.problems().size()), 1, line);
        return error.problems().front();
    }
    expect(false, line);
    return {};
}

Policy by_landlock_alone() {
    return {.accept_weaker = {Guarantee::files, Guarantee::network, Guarantee::services,
                              Guarantee::processes}};
}

}  // namespace

TEST_CASE("a filter of one call that the child needs is found before the launch, and named") {
    SKIP_IF_SOMETHING_IS_MISSING();
    for (const long call : {SYS_mount, SYS_umount2, SYS_pivot_root}) {
        CAPTURE(call);
        Peer peer([&] {
            become_ordinary_user();
            refuse_system_calls({call}, EPERM);
            const Machine machine = Machine::here();
            expect(static_cast<bool>(machine.user_namespace));
            const Ability& mounts = machine.in_user_namespace.mounts;
            expect(mounts.refusal == std::errc::operation_not_permitted);
            expect(has(mounts.cause, "a seccomp filter"));
            expect(Sandbox(by_landlock_alone()).explain().holdings[0].mechanism == "Landlock");
        });
        check_end_of(peer);
    }
}

TEST_CASE("a filter of newer calls is no reason to do without mounts") {
    SKIP_IF_SOMETHING_IS_MISSING();
    for (const int error : {EPERM, ENOSYS}) {
        Peer peer([error] {
            become_ordinary_user();
            refuse_system_calls({SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount,
                                 SYS_fsconfig, SYS_mount_setattr, SYS_openat2},
                                error);
            expect(static_cast<bool>(Machine::here().in_user_namespace.mounts));
            const Sandbox sandbox(Policy{});
            SyncedSpawner spawner({.program = "sh", .arguments = {"-c", "! touch /usr/x"}});
            sandbox.add_to(spawner);
            expect(spawner.spawn().wait().success());
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a filter that has nothing to do with it is not blamed") {
    SKIP_IF_SOMETHING_IS_MISSING();
    Peer chroot([] {
        in_chroot();
        become_ordinary_user();
        refuse_system_calls({SYS_acct}, EPERM);
        expect(has(Machine::here().user_namespace.cause, "in a chroot"));
    });
    check_end_of(chroot);
    Peer root([] {
        root_without_capabilities(KeptCapabilities::none);
        refuse_system_calls({SYS_acct}, EPERM);
        expect(has(Machine::here().user_namespace.cause, "without CAP_SETFCAP"));
    });
    check_end_of(root);
}

TEST_CASE("in a chroot whose root is no mount point root is told to make it one") {
    SKIP_IF_SOMETHING_IS_MISSING();
    Peer peer([] {
        if (geteuid() != 0) {
            leave_out_here("this takes root");
        }
        in_chroot();
        const Problem problem =
            only_problem({.accept_weaker = {Guarantee::services, Guarantee::processes}});
        expect(problem.guarantee == Guarantee::files && problem.code.value() == EINVAL);
        expect(has(problem.what, "no mount point") && has(problem.remedy, "mount --bind"));
    });
    check_end_of(peer);
}

TEST_CASE("what was found is not taken for true once something was given up") {
    SKIP_IF_SOMETHING_IS_MISSING();
    Peer peer([] {
        expect(static_cast<bool>(Machine::here().user_namespace));
        no_proc();
        // Nothing tells now whether this is the same process, so each call looks.
        expect(has(Machine::here().in_user_namespace.fresh_proc.cause, "/proc is not mounted"));
        without_landlock();
        expect(Machine::here().landlock_version == 0);
        docker_filter();
        expect(has(Machine::here().user_namespace.cause, "a seccomp filter"));
    });
    check_end_of(peer);
    const auto domain_is_found = [] {
        expect(static_cast<bool>(Machine::here().in_user_namespace.mounts));
        in_landlock_domain();
        expect(has(Machine::here().in_user_namespace.mounts.cause, "a Landlock domain"));
    };
    Peer caller(domain_is_found);
    check_end_of(caller);
    // Of a parent that is the same user, as it mostly is.
    Peer ordinary([&] {
        become_ordinary_user();
        Peer child(domain_is_found);
        expect_same(child.ending().c_str(), reached_the_end.c_str());
    });
    check_end_of(ordinary);
}

TEST_CASE("a filter that kills is found by a child that it kills") {
    Peer peer([] {
        kill_for_system_calls({SYS_unshare, SYS_mount});
        const Machine machine = Machine::here();
        expect(machine.user_namespace.refusal == std::errc::operation_not_permitted);
        expect(has(machine.user_namespace.cause, "a seccomp filter"));
        expect(has(machine.alone.mounts.cause, "a seccomp filter"));
    });
    check_end_of(peer);
}

TEST_CASE("where there is no second choice either, the error says why not") {
    SKIP_IF_SOMETHING_IS_MISSING();
    Peer none([] {
        docker_profile();
        without_landlock();
        Policy policy = by_landlock_alone();
        policy.processes.isolated = false;
        const Problem problem = only_problem(policy);
        expect(problem.guarantee == Guarantee::files);
        expect(has(problem.remedy, "there is no second choice: this kernel has no Landlock"));
    });
    check_end_of(none);
    Peer old([] {
        docker_profile();
        old_landlock(5);
        const Problem problem = only_problem(by_landlock_alone());
        expect(problem.guarantee == Guarantee::processes);
        expect(has(problem.remedy, "there is no second choice: Landlock here is older"));
    });
    check_end_of(old);
}

TEST_CASE(
    "under an old Landlock nothing outside can be truncated, and the report says what is open") {
    SKIP_IF_SOMETHING_IS_MISSING();
    const Workspace place;
    const LoopbackServer server;
    for (const int version : {1, 2, 3, 5}) {
        CAPTURE(version);
        Peer peer([&] {
            become_ordinary_user();
            docker_filter();
            old_landlock(version);
            Policy policy = place.policy();
            policy.accept_weaker = by_landlock_alone().accept_weaker;
            policy.processes.isolated = false;
            const Sandbox sandbox(policy);
            const std::string plan = sandbox.explain().to_string();
            expect(has(plan, "truncate(2) fails everywhere") == (version < 3));
            expect(has(plan, "ioctl(2) of devices works") == (version < 5));
            expect(has(plan, "services: weaker, by nothing but the user's permissions"));
            expect(has(plan, "network: weaker, by socket families by seccomp"));
            // It may signal this process, for it is not isolated.
            expect_held(sandbox, script_for(place, server), "yes yes yes no no no no no no yes ");
        });
        check_end_of(peer);
    }
}

TEST_CASE("root that a filter confines is nobody in the program all the same") {
    SKIP_IF_SOMETHING_IS_MISSING();
    Peer peer([] {
        if (geteuid() != 0) {
            leave_out_here("this takes root");
        }
        docker_filter();
        expect_held(Sandbox(by_landlock_alone()), "id -u; cat", "65534\n");
    });
    check_end_of(peer);
}

TEST_CASE("a number of processes does not bind root, and the remedy is one that works") {
    SKIP_IF_SOMETHING_IS_MISSING();
    Policy policy = by_landlock_alone();
    policy.limits.processes = 1000;
    policy.accept_weaker.push_back(Guarantee::limits);
    Peer docker([&] {
        if (geteuid() != 0) {
            leave_out_here("this takes root");
        }
        docker_profile();
        const Problem problem = only_problem(policy);
        expect(problem.where == "limits.processes");
        expect(has(problem.remedy, "name another privileges.host_user"));
        policy.privileges = {.host_user = 65534, .host_group = 65534};
        expect_held(Sandbox(policy), "id -u; ulimit -u 2>/dev/null || ulimit -p; cat",
                    "65534\n1000\n");
    });
    check_end_of(docker);
    Peer none([&] {
        docker_profile(KeptCapabilities::none);
        policy.privileges = {};
        expect(has(only_problem(policy).remedy, "launch it as another user"));
    });
    check_end_of(none);
}

TEST_CASE("cgroups that are read-only are told from those that belong to others") {
    Peer peer([] {
        read_only_cgroups();
        if (!has(read_file("/proc/self/mounts"), " cgroup2 ")) {
            leave_out_here("there is no cgroup of version 2");
        }
        const Machine machine = Machine::here();
        expect(machine.cgroups.refusal == std::errc::read_only_file_system);
        expect(has(machine.cgroups.cause, "mounted read-only"));
    });
    check_end_of(peer);
}
