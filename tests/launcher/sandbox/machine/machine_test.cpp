#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include <syncspawn/sandbox/machine.hpp>

#include "launcher/sandbox/machine/causes.hpp"
#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// As where all goes well.
Findings all_allowed() {
    Findings findings;
    for (int Findings::*one :
         {&Findings::unshare_nothing, &Findings::filtered_user_namespace, &Findings::filtered_mount,
          &Findings::user_namespace, &Findings::id_map, &Findings::mount_namespace,
          &Findings::mount, &Findings::layout, &Findings::pid_namespace, &Findings::fresh_proc,
          &Findings::network_namespace, &Findings::loopback, &Findings::host_name, &Findings::ipc,
          &Findings::cgroup, &Findings::time}) {
        findings.*one = 0;
    }
    return findings;
}

struct Case {
    const char* name;
    int Findings::*call;
    int error;
    Circumstances circumstances;
    const char* cause;
    const char* remedy;
};

const std::vector<Case> cases{
    {"limit",
     &Findings::user_namespace,
     ENOSPC,
     {.most_user_namespaces = 0},
     "user.max_user_namespaces is 0",
     "raise the sysctl"},
    {"too deep",
     &Findings::user_namespace,
     EUSERS,
     {.most_user_namespaces = 9},
     "in number or depth",
     "raise the sysctl"},
    {"Debian's sysctl",
     &Findings::user_namespace,
     EPERM,
     {.unprivileged_clone = 0},
     "kernel.unprivileged_userns_clone is 0",
     "set that sysctl to 1"},
    {"filter, whatever the argument",
     &Findings::unshare_nothing,
     EPERM,
     {},
     "a seccomp filter",
     "--security-opt seccomp"},
    {"filter of one argument",
     &Findings::user_namespace,
     EPERM,
     {.has_seccomp_filter = true},
     "a seccomp filter",
     "in that filter"},
    {"AppArmor refuses",
     &Findings::user_namespace,
     EACCES,
     {.apparmor_restriction = 1},
     "AppArmor takes away",
     "allows \"userns\""},
    {"AppArmor strips",
     &Findings::mount,
     EPERM,
     {.apparmor_restriction = 1},
     "AppArmor takes away",
     "allows \"userns\""},
    {"AppArmor strips at once",
     &Findings::mount_namespace,
     EACCES,
     {.apparmor_restriction = 1},
     "AppArmor takes away",
     "allows \"userns\""},
    {"chroot, and a filter of something else",
     &Findings::user_namespace,
     EPERM,
     {.has_seccomp_filter = true, .is_in_chroot = true},
     "in a chroot",
     "pivot_root"},
    {"root without the capability to map itself",
     &Findings::id_map,
     EPERM,
     {.may_map_itself = false},
     "without CAP_SETFCAP",
     "--cap-add SETFCAP"},
    {"one that is not dumpable",
     &Findings::id_map,
     EACCES,
     {.is_dumpable = false},
     "not dumpable",
     "PR_SET_DUMPABLE"},
    {"no /proc",
     &Findings::id_map,
     ENOENT,
     {.has_proc = false},
     "/proc is not mounted",
     "mount -t proc"},
    {"old kernel", &Findings::user_namespace, ENOSYS, {}, "no user namespaces", "CONFIG_USER_NS"},
    {"another module",
     &Findings::mount,
     EPERM,
     {},
     "a security module takes away",
     "the kernel's log"},
};

}  // namespace

TEST_CASE("the causes of one errno are told apart, each with its remedy") {
    for (const Case& one : cases) {
        CAPTURE(one.name);
        Findings findings = all_allowed();
        findings.*one.call = one.error;
        const Ability ability = user_namespace_ability(findings, one.circumstances);
        CHECK_FALSE(ability);
        CHECK(ability.refusal.value() == one.error);
        CHECK_MESSAGE(contains(ability.cause, one.cause), ability.cause);
        CHECK_MESSAGE(contains(ability.remedy, one.remedy), ability.remedy);
        // Nothing that needs the user namespace is there either, and all say the same.
        CHECK(namespace_abilities(findings, ability, one.circumstances).network.cause ==
              ability.cause);
    }
    CHECK(user_namespace_ability(all_allowed(), {.apparmor_restriction = 1}));
}

TEST_CASE("what forbids to lay out mounts is told, too, each with its remedy") {
    const std::vector<Case> refused{
        {"AppArmor's profile of Docker",
         &Findings::layout,
         EACCES,
         {.apparmor_restriction = 1, .apparmor_profile = "docker-default"},
         "the AppArmor profile 'docker-default'",
         "apparmor=unconfined"},
        {"Landlock", &Findings::layout, EPERM, {}, "a Landlock domain", "outside of that domain"},
        {"chroot", &Findings::layout, EINVAL, {}, "no mount point", "mount --bind"},
        {"another module", &Findings::layout, EACCES, {}, "a security module", "kernel's log"},
        {"filter",
         &Findings::filtered_mount,
         EPERM,
         {.apparmor_restriction = 1, .has_seccomp_filter = true},
         "a seccomp filter",
         "in that filter"},
        {"old kernel", &Findings::filtered_mount, ENOSYS, {}, "does not have that call", "Linux"},
        {"no capability", &Findings::mount, EINVAL, {}, "may not mount", "CAP_SYS_ADMIN"}};
    for (const Case& one : refused) {
        CAPTURE(one.name);
        Findings findings = all_allowed();
        findings.*one.call = one.error;
        // The user namespace is not to blame, and what takes no mounts works.
        const Ability user_namespace = user_namespace_ability(findings, one.circumstances);
        CHECK(user_namespace);
        const NamespaceAbilities all =
            namespace_abilities(findings, user_namespace, one.circumstances);
        CHECK(all.network);
        CHECK(all.mounts.refusal.value() == one.error);
        CHECK_MESSAGE(contains(all.mounts.cause, one.cause), all.mounts.cause);
        CHECK_MESSAGE(contains(all.mounts.remedy, one.remedy), all.mounts.remedy);
    }
}

TEST_CASE("a namespace that root may not make is refused by somebody else than the kernel") {
    Findings findings = all_allowed();
    findings.user_namespace = Findings::not_tried;
    findings.network_namespace = EPERM;
    const auto cause = [&](const Circumstances& circumstances) {
        return namespace_abilities(findings, {}, circumstances).network.cause;
    };
    CHECK(contains(cause({}), "this process may not make one"));
    CHECK(contains(cause({.has_seccomp_filter = true, .has_sys_admin = true}), "a seccomp filter"));
    CHECK(contains(cause({.has_sys_admin = true}), "a security module"));
}

TEST_CASE("capabilities that are stripped are seen though the profile's sysctl cannot be read") {
    Findings findings = all_allowed();
    findings.mount = EPERM;
    findings.is_in_apparmor_profile = 1;
    CHECK(contains(user_namespace_ability(findings, {}).cause, "AppArmor"));
}

TEST_CASE("what a namespace is refused for does not spoil the others") {
    Findings findings = all_allowed();
    findings.fresh_proc = EPERM;
    findings.time = EINVAL;
    findings.network_namespace = ENOSPC;
    findings.loopback = Findings::not_tried;
    const NamespaceAbilities all = namespace_abilities(findings, {}, {});
    CHECK(all.mounts);
    CHECK(all.processes);
    CHECK(contains(all.fresh_proc.to_string(), "are covered"));
    CHECK(contains(all.network.to_string(), "user.max_net_namespaces is reached"));
    CHECK(contains(all.time.to_string(), "no (unshare(CLONE_NEWTIME): "));
    CHECK(all.host_name.to_string() == "yes");
}

TEST_CASE("the probe leaves no child, and says the same when asked again") {
    const std::size_t before = count_children();
    const std::string first = Machine::here().to_string();
    CHECK(Machine::here().to_string() == first);
    CHECK(Machine::probe().to_string() == first);
    CHECK(count_children() == before);
}

TEST_CASE("an ordinary user has no namespaces without a user namespace") {
    Peer peer([] {
        become_ordinary_user();
        const Machine machine = Machine::here();
        expect(!machine.alone.mounts);
        expect(machine.alone.mounts.refusal == std::errc::operation_not_permitted);
        expect(contains(machine.to_string(), "mounts without one: no ("));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a process that has changed its ids learns why it cannot map them, and how to go on") {
    if (geteuid() != 0) {
        SKIP_TEST("it takes root to change ids");
    }
    Peer peer([] {
        become_ordinary_user();
        expect(prctl(PR_SET_DUMPABLE, 0) == 0);
        const Machine before = Machine::here();
        expect(contains(before.in_user_namespace.mounts.cause, "not dumpable"));
        expect(prctl(PR_SET_DUMPABLE, 1) == 0);
        expect(!contains(Machine::here().to_string(), "not dumpable"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a filter that refuses unshare is found, also after the answer was another") {
    Peer peer([] {
        (void)Machine::here();
        refuse_system_calls({SYS_unshare}, EPERM);
        const Machine machine = Machine::here();
        expect(!machine.user_namespace);
        expect(contains(machine.user_namespace.cause, "seccomp filter"));
        expect(!machine.in_user_namespace.processes);
        refuse_system_calls({SYS_landlock_create_ruleset}, EPERM);
        expect(contains(Machine::here().landlock.cause, "seccomp filter"));
        expect(Machine::here().landlock_version == 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a limit of no user namespaces is found") {
    Peer peer([] {
        if (unshare(CLONE_NEWUSER) < 0) {
            leave_out_here("this machine forbids user namespaces");
        }
        std::ofstream("/proc/sys/user/max_user_namespaces") << 0 << std::flush;
        if (read_file("/proc/sys/user/max_user_namespaces") != "0\n") {
            leave_out_here("the limit cannot be set here");
        }
        const Machine machine = Machine::here();
        expect(machine.user_namespace.refusal == std::errc::no_space_on_device);
        expect(contains(machine.user_namespace.cause, "user.max_user_namespaces is 0"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a /proc with a covered part, as in a container, is found") {
    const std::string user = std::to_string(geteuid());
    const std::string group = std::to_string(getegid());
    Peer peer = peer_in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, [&] {
        // Who has no id may not make user namespaces.
        std::ofstream("/proc/self/setgroups") << "deny" << std::flush;
        std::ofstream("/proc/self/uid_map") << user + " " + user + " 1" << std::flush;
        std::ofstream("/proc/self/gid_map") << group + " " + group + " 1" << std::flush;
        make_mounts_private("/");
        expect(mount("none", "/proc/sys", "tmpfs", 0, nullptr) == 0);
        const Machine machine = Machine::here();
        expect(static_cast<bool>(machine.in_user_namespace.processes));
        expect(machine.in_user_namespace.fresh_proc.refusal == std::errc::operation_not_permitted);
        expect(contains(machine.in_user_namespace.fresh_proc.cause, "are covered"));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
