#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

constexpr long none = 0;
constexpr long no_file = -1;
constexpr long no_flags = 0x7fffffff;  // no such flags, operation or number
constexpr int anything = 0;            // the kernel may say no in several ways, but not ENOSYS

// A call with arguments that are none, and how a kernel that has it says so.
struct Row {
    KnownCall call;
    long number;
    std::array<long, 5> arguments;
    int answer;
    bool takes_capability = false;  // and says EPERM first to who lacks it
    bool is_optional = false;       // a kernel may be built without it: ENOSYS
};
constexpr Row rows[]{
    {{"unshare", 2, 6}, SYS_unshare, {CLONE_NEWUSER | 1}, EINVAL},
    {{"clone of namespaces", 2, 6}, SYS_clone, {CLONE_NEWUSER | CLONE_FS}, EINVAL},
    {{"clone3", 5, 3}, SYS_clone3, {none, none}, EINVAL},
    {{"setns", 3, 0}, SYS_setns, {no_file, none}, EBADF},
    {{"mount", 2, 6}, SYS_mount, {}, EFAULT},
    {{"umount2", 2, 6}, SYS_umount2, {none, no_flags}, EINVAL},
    {{"pivot_root", 2, 6}, SYS_pivot_root, {}, EFAULT, true},
    {{"chroot", 2, 6}, SYS_chroot, {}, EFAULT},
    {{"open_tree", 5, 2}, SYS_open_tree, {no_file, none, no_flags}, EINVAL},
    {{"move_mount", 5, 2}, SYS_move_mount, {no_file, none, no_file, none, no_flags}, EINVAL, true},
    {{"fsopen", 5, 2}, SYS_fsopen, {none, no_flags}, EINVAL, true},
    {{"fsconfig", 5, 2}, SYS_fsconfig, {no_file, none, none, none, none}, EINVAL},
    {{"fsmount", 5, 2}, SYS_fsmount, {no_file, no_flags, none}, EINVAL, true},
    {{"mount_setattr", 5, 12}, SYS_mount_setattr, {no_file, none, no_flags}, EINVAL},
    {{"openat2", 5, 6}, SYS_openat2, {no_file, none, none, none}, EINVAL},
    {{"sethostname", 2, 6}, SYS_sethostname, {none, no_file}, EINVAL, true},
    {{"keyctl", 2, 6}, SYS_keyctl, {no_flags}, EOPNOTSUPP, false, true},
    {{"seccomp", 3, 17}, SYS_seccomp, {no_flags}, EINVAL},
    {{"landlock_create_ruleset", 5, 13},
     SYS_landlock_create_ruleset,
     {none, none, no_flags},
     anything,
     false,
     true},
    {{"landlock_add_rule", 5, 13},
     SYS_landlock_add_rule,
     {no_file, none, none, no_flags},
     anything,
     false,
     true},
    {{"landlock_restrict_self", 5, 13},
     SYS_landlock_restrict_self,
     {no_file, no_flags},
     anything,
     false,
     true},
    {{"prlimit64", 2, 6}, SYS_prlimit64, {none, no_flags}, EINVAL},
    {{"ptrace", 2, 6}, SYS_ptrace, {PTRACE_CONT, no_flags}, ESRCH},
    {{"pidfd_open", 5, 3}, SYS_pidfd_open, {no_file, none}, EINVAL},
    {{"pidfd_send_signal", 5, 1}, SYS_pidfd_send_signal, {no_file, none, none, none}, EBADF},
    {{"pidfd_getfd", 5, 6}, SYS_pidfd_getfd, {no_file, no_file, none}, EBADF},
    {{"memfd_create", 3, 17}, SYS_memfd_create, {none, no_flags}, EINVAL},
    {{"execveat", 3, 19}, SYS_execveat, {no_file, none, none, none, no_flags}, EFAULT},
    {{"close_range", 5, 9}, SYS_close_range, {no_flags, none, none}, EINVAL},
    {{"io_uring_setup", 5, 1}, SYS_io_uring_setup, {none, none}, EFAULT, true, true},
    {{"userfaultfd", 4, 3}, SYS_userfaultfd, {no_flags}, EINVAL, true, true},
    {{"bpf", 3, 18}, SYS_bpf, {no_flags, none, none}, EINVAL, true, true},
    {{"perf_event_open", 2, 6},
     SYS_perf_event_open,
     {none, none, none, no_file, no_flags},
     EINVAL,
     true,
     true},
};

int attempt(const Row& row) {
    const auto& given = row.arguments;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);  // Landlock asks for it first
    return syscall(row.number, given[0], given[1], given[2], given[3], given[4]) < 0 ? errno : 0;
}

bool is_as_expected(const Row& row, const Answer& answer) {
    return answer.error == row.answer ||
           (row.answer == anything && answer.error != EPERM && answer.error != EACCES);
}

// Where a capability is lacking, or a sysctl forbids it, an error may be the kernel's own word.
bool is_a_filters(const Row& row, const Answer& answer) {
    if (answer.is_killed || answer.error == ENOSYS) {
        return is_filters_answer(answer, row.call) && (answer.is_killed || !row.is_optional);
    }
    return !is_as_expected(row, answer) && !row.takes_capability;
}

std::string in_words(const std::map<std::string, std::string>& refused) {
    std::string text;
    for (const auto& [how, calls] : refused) {
        text += (text.empty() ? "" : "; ") + calls + " (" + how + ")";
    }
    return text;
}

std::string how(const Answer& answer) {
    return answer.is_killed ? "it kills"
                            : std::error_code(answer.error, std::system_category()).message();
}

// A listener of its own, by a filter that allows everything.
int install_listener() {
    sock_filter allow_all[]{{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    const sock_fprog program{1, allow_all};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                   &program) < 0
               ? errno
               : 0;
}

sandbox::Ability try_notification() {
    const Answer answer = tried_in_child(install_listener);
    if (answer.error == EBUSY) {
        return refusal(EBUSY, "seccomp", "a filter of this process is listened to already",
                       "start it outside of what has installed that");
    }
    return judged(answer, {"seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER)", 5, 0},
                  "this kernel has no listeners of filters", "Linux 5.0");
}

}  // namespace

sandbox::Ability try_system_calls(std::string& detail) {
    if (!has_seccomp_filter()) {
        detail = "no seccomp filter";
        return {};
    }
    std::map<std::string, std::string> refused;
    int first = 0;
    for (const Row& row : rows) {
        const Answer answer = tried_in_child([&row] { return attempt(row); });
        if (is_a_filters(row, answer)) {
            std::string& calls = refused[how(answer)];
            calls += (calls.empty() ? "" : ", ") + std::string(row.call.name);
            first = first == 0 ? answer.error : first;
        }
    }
    if (refused.empty()) {
        detail = "a seccomp filter, that refuses none of the " + std::to_string(std::size(rows)) +
                 " that were tried";
        return {};
    }
    return refusal(first, "seccomp",
                   "a seccomp filter of this process refuses " + in_words(refused),
                   "allow them in that filter (Docker: --security-opt seccomp=...), or start this "
                   "outside of the container");
}

FindingGroup system_calls(const sandbox::Machine& machine) {
    FindingGroup group{"seccomp", "System call filters"};
    const sandbox::Ability& filters = machine.system_call_filters;
    group.findings.push_back(finding_of("seccomp.filters", "seccomp", filters));
    group.findings.push_back(
        finding_of("seccomp.notification", "listeners", filters ? try_notification() : filters));
    return group;
}

}  // namespace syncspawn::tools
