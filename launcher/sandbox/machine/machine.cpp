#include <syncspawn/sandbox/machine.hpp>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <syncspawn/sandbox/cgroup.hpp>

#include "barrier/linux/proc.hpp"
#include "causes.hpp"
#include "launcher/sandbox/landlock/plan.hpp"
#include "probe.hpp"

namespace syncspawn::sandbox {
namespace {

namespace proc = detail::proc;

// A filter may kill who asks.
bool may_not_ask(void (*question)() noexcept) {
    return prctl(PR_GET_SECCOMP) != 0 && is_killed_by_filter(question);
}

LandlockSupport landlock_support_here() {
    return may_not_ask([]() noexcept { landlock_support(); }) ? LandlockSupport{.error = EPERM}
                                                              : landlock_support();
}

Ability landlock_ability(const LandlockSupport& support) {
    constexpr const char* call = "landlock_create_ruleset";
    const bool has_filter = prctl(PR_GET_SECCOMP) == 2;
    switch (support.version > 0 ? 0 : support.error) {
        case 0:
            return {};
        case EOPNOTSUPP:
            return refused(EOPNOTSUPP, call, "Landlock is not enabled at boot",
                           "add it to lsm= on the kernel's command line");
        case ENOSYS:
            return refused(ENOSYS, call,
                           std::string("this kernel has no Landlock") +
                               (has_filter ? ", or a seccomp filter of this process says so" : ""),
                           std::string("Linux 5.13 with CONFIG_SECURITY_LANDLOCK") +
                               (has_filter ? ", or allow landlock_* in that filter" : ""));
        default:
            break;
    }
    return refused(support.error, call, "a seccomp filter of this process refuses it",
                   "allow landlock_* in that filter");
}

int error_of_filters() noexcept {
    constexpr unsigned action_available = 2;  // SECCOMP_GET_ACTION_AVAIL, Linux 4.14
    const unsigned action = 0x7fff0000;       // SECCOMP_RET_ALLOW
    return syscall(SYS_seccomp, action_available, 0, &action) == 0 ? 0 : errno;
}

Ability filter_ability() {
    const bool is_killing = may_not_ask([]() noexcept { error_of_filters(); });
    const int error = is_killing ? EPERM : error_of_filters();
    if (error == 0) {
        return {};
    }
    return error == ENOSYS || error == EINVAL
               ? refused(error, "seccomp", "this kernel has no seccomp filters",
                         "Linux 4.14 with CONFIG_SECCOMP_FILTER")
               : refused(error, "seccomp", "a seccomp filter of this process refuses it",
                         "allow seccomp in that filter");
}

Ability cgroup_ability(const CgroupFacts& facts) {
    if (!facts.parent.empty()) {
        return {};
    }
    if (facts.problems.empty()) {
        return refused(ENOENT, "mkdir", "there is no cgroup of version 2 to make one in",
                       "mount cgroup2, or delegate one");
    }
    const CgroupProblem& first = facts.problems.front();
    const std::string call = facts.mount.empty() ? first.path : "mkdir '" + first.path + "'";
    return {first.error, call, first.cause, first.remedy};
}

std::string inode_of(const char* path) {
    struct stat about {};
    return stat(path, &about) == 0 ? std::to_string(about.st_ino) + " " : "- ";
}

std::string text_of(const char* path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A Landlock domain is shown nowhere. But in one nobody may mount, which for root is another error than that of a
// contradiction, and nobody may look at processes outside, such as the parent. Who has a filter does not ask, for it may
// kill.
std::string signs_of_a_domain() {
    constexpr unsigned long contradiction = 1UL << 18 | 1UL << 20;  // MS_PRIVATE, MS_SHARED
    const bool has_filter = prctl(PR_GET_SECCOMP) != 0;
    const bool may_not_mount =
        !has_filter && syscall(SYS_mount, nullptr, "/", nullptr, contradiction, nullptr) < 0 &&
        errno == EPERM;
    char target[32];
    const std::string parent = "/proc/" + std::to_string(getppid()) + "/ns/mnt";
    const bool may_look = readlink(parent.c_str(), target, sizeof target) > 0;
    return std::string(may_not_mount ? "m" : "") + (may_look ? "l " : " ");
}

// All that an answer depends on and that a process can change; empty if that cannot be told. What only others can
// change (sysctls) is not in it: a launch that fails on that says so.
std::string situation() {
    std::string text;
    for (const char* key : {"Uid:", "Gid:", "CapEff:", "CapBnd:", "Seccomp:"}) {
        const std::string value = proc::status_text("thread-self", key);
        if (value.empty()) {
            return {};
        }
        text += value + " ";
    }
    const std::string filters = proc::status_text("thread-self", "Seccomp_filters:");
    if (filters.empty() && prctl(PR_GET_SECCOMP) != 0) {
        return {};  // there may be more of them than before: their number is shown since Linux 5.9
    }
    text += std::to_string(prctl(PR_GET_DUMPABLE)) + " ";
    return text + filters + " " + inode_of("/proc/thread-self/ns/user") +
           inode_of("/proc/thread-self/ns/mnt") + inode_of("/proc/thread-self/ns/pid") +
           inode_of("/proc/thread-self/ns/cgroup") + inode_of("/proc/thread-self/root") +
           signs_of_a_domain() + text_of("/proc/thread-self/cgroup");
}

// What was found, one for each situation that this process has been in. They are never freed, for another
// thread may be reading. No lock: a fork in the meantime would leave it held.
struct Known {
    std::string situation;
    Machine machine;
    const Known* next;
};
std::atomic<const Known*> newest{nullptr};

std::string in_lines(const std::string& title, const NamespaceAbilities& abilities) {
    const std::pair<const char*, const Ability&> all[]{
        {"mounts", abilities.mounts},          {"processes", abilities.processes},
        {"fresh /proc", abilities.fresh_proc}, {"network", abilities.network},
        {"host name", abilities.host_name},    {"ipc", abilities.ipc},
        {"cgroup", abilities.cgroup},          {"time", abilities.time}};
    std::string text;
    for (const auto& [name, ability] : all) {
        text += name + title + ": " + ability.to_string() + "\n";
    }
    return text;
}

std::string in_words(const std::vector<std::string>& controllers) {
    std::string text = controllers.empty() ? "" : ", with limits of";
    for (const std::string& controller : controllers) {
        text += " " + controller;
    }
    return text;
}

}  // namespace

std::string Ability::to_string() const {
    return refusal ? "no (" + call + ": " + refusal.message() + "): " + cause + "; " + remedy
                   : "yes";
}

Machine Machine::probe() {
    Machine found;
    const Circumstances circumstances = Circumstances::of_this_thread();
    found.alone = namespace_abilities(probe_in_child(ProbeWay::alone), {}, circumstances);
    const Findings inside = probe_in_child(ProbeWay::in_user_namespace);
    found.user_namespace = user_namespace_ability(inside, circumstances);
    found.in_user_namespace = namespace_abilities(inside, found.user_namespace, circumstances);
    const LandlockSupport landlock = landlock_support_here();
    found.landlock_version = landlock.version;
    found.landlock = landlock_ability(landlock);
    found.system_call_filters = filter_ability();
    const CgroupFacts cgroups = cgroup_facts();
    found.cgroups = cgroup_ability(cgroups);
    found.cgroup_controllers = cgroups.controllers;
    return found;
}

Machine Machine::here() {
    std::string now = situation();
    if (now.empty()) {
        return probe();
    }
    const Known* first = newest.load(std::memory_order_acquire);
    for (const Known* known = first; known != nullptr; known = known->next) {
        if (known->situation == now) {
            return known->machine;
        }
    }
    auto* known = new Known{std::move(now), probe(), first};
    while (!newest.compare_exchange_weak(known->next, known, std::memory_order_acq_rel)) {
    }
    return known->machine;
}

std::string Machine::to_string() const {
    return "user namespace: " + user_namespace.to_string() + "\n" +
           in_lines(" in a user namespace", in_user_namespace) + in_lines(" without one", alone) +
           "Landlock: " +
           (landlock ? "version " + std::to_string(landlock_version) : landlock.to_string()) +
           "\nsystem call filters: " + system_call_filters.to_string() +
           "\ncgroups: " + cgroups.to_string() + in_words(cgroup_controllers) + "\n";
}

}  // namespace syncspawn::sandbox
