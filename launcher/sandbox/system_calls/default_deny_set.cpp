#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <initializer_list>
#include <utility>

#include <syncspawn/sandbox/system_calls.hpp>

// What is here, and why, is said in the header.

namespace syncspawn::sandbox {
namespace {

#ifdef __s390x__
constexpr unsigned flags_of_clone = 1;  // there the stack comes first
#else
constexpr unsigned flags_of_clone = 0;
#endif

// CLONE_NEWTIME (Linux 5.6) is among the bits that are clone's signal, so only unshare takes it.
constexpr std::uint64_t namespaces_of_clone = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                              CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                              CLONE_NEWNET;
constexpr std::uint64_t namespaces_of_unshare = namespaces_of_clone | 0x80;

class Rules {
public:
    void refuse(std::initializer_list<const char*> calls, std::vector<ArgumentTest> when = {}) {
        add(calls, EPERM, std::move(when));
    }
    void pretend_absence(std::initializer_list<const char*> calls) { add(calls, ENOSYS, {}); }
    std::vector<CallRule> take() { return std::move(rules_); }

private:
    void add(std::initializer_list<const char*> calls, int error, std::vector<ArgumentTest> when) {
        rules_.push_back({.calls = {calls.begin(), calls.end()},
                          .action = CallAction::error(error),
                          .when = std::move(when)});
    }
    std::vector<CallRule> rules_;
};

void refuse_the_machine(Rules& rules) {
    rules.refuse({"init_module", "finit_module", "delete_module", "create_module",
                  "get_kernel_syms", "query_module", "kexec_load", "kexec_file_load", "reboot"});
    rules.refuse({"swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog"});
    rules.refuse({"settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime",
                  "clock_adjtime64", "adjtimex"});
    rules.refuse({"iopl", "ioperm", "vm86", "vm86old", "modify_ldt", "pciconfig_read",
                  "pciconfig_write", "pciconfig_iobase"});
}

void refuse_another_view(Rules& rules) {
    rules.refuse({"mount", "umount", "umount2", "pivot_root", "chroot", "open_tree",
                  "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
                  "mount_setattr", "open_by_handle_at"});
    rules.refuse({"setns"});
    rules.refuse({"unshare"}, {(int_argument(0) & namespaces_of_unshare) != 0});
    // A child of the launcher's that the launcher knows nothing of.
    constexpr std::uint64_t refused_to_clone = namespaces_of_clone | CLONE_PARENT;
    rules.refuse({"clone"}, {(int_argument(flags_of_clone) & refused_to_clone) != 0});
    rules.pretend_absence({"clone3"});
}

void refuse_tools_of_exploits(Rules& rules) {
    rules.refuse({"bpf", "perf_event_open", "userfaultfd", "lookup_dcookie"});
    rules.refuse({"add_key", "keyctl", "request_key"});
    rules.pretend_absence({"io_uring_setup", "io_uring_enter", "io_uring_register"});
    rules.pretend_absence({"uselib", "ustat", "sysfs", "_sysctl", "nfsservctl"});
    for (const int request : {TIOCSTI, TIOCLINUX}) {
        rules.refuse({"ioctl"}, {int_argument(1) == request});
    }
    rules.refuse({"vhangup"});
    // Whoever is in the process group of its launcher reaches those outside, too, even from a pid namespace (0: its own).
    constexpr int of_group = PRIO_PGRP;
    constexpr int of_group_for_disks = 2;  // IOPRIO_WHO_PGRP
    rules.refuse({"setpriority"}, {int_argument(0) == of_group});
    rules.refuse({"ioprio_set"}, {int_argument(0) == of_group_for_disks});
    constexpr std::uint64_t question = UINT32_MAX;
    // PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE, which are of different types.
    constexpr std::uint64_t harmless = 0x0008 | 0x0020000 | 0x0040000;
    rules.refuse({"personality"},
                 {int_argument(0) != question, (int_argument(0) & ~harmless) != 0});
}

}  // namespace

SystemCallFilter default_deny_set(Tracing tracing) {
    Rules rules;
    refuse_the_machine(rules);
    refuse_another_view(rules);
    refuse_tools_of_exploits(rules);
    if (tracing == Tracing::refused) {
        rules.refuse({"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
                      "pidfd_getfd", "kcmp"});
    }
    return {.rules = rules.take()};
}

SystemCallFilter socket_families(const std::vector<int>& families) {
    SystemCallFilter filter;
    for (const int family : families) {
        filter.rules.push_back({.calls = {"socket", "socketpair"},
                                .action = CallAction::allow(),
                                .when = {int_argument(0) == family}});
    }
    filter.rules.push_back(
        {.calls = {"socket", "socketpair"}, .action = CallAction::error(EAFNOSUPPORT)});
    // Their arguments are in memory.
    filter.rules.push_back(
        {.calls = {"socketcall", "io_uring_setup"}, .action = CallAction::error(ENOSYS)});
    return filter;
}

}  // namespace syncspawn::sandbox
