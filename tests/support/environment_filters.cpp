#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "support/environment.hpp"
#include "support/environment_filters.hpp"
#include "support/peer.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace syncspawn::testing {
namespace {

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t refuse(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

// The first rule that fits decides; a call that fits none is allowed.
class Filter {
public:
    // Whatever its arguments are.
    Filter& add(std::initializer_list<long> calls, std::uint32_t verdict) {
        for (const long call : calls) {
            load(offsetof(seccomp_data, nr));
            answer_if(BPF_JEQ, static_cast<std::uint32_t>(call), verdict);
        }
        return *this;
    }
    // With an argument that has one of these bits (BPF_JSET), or that is this (BPF_JEQ).
    Filter& add(long call, int argument, std::uint16_t comparison, std::uint64_t value,
                std::uint32_t verdict) {
        load(offsetof(seccomp_data, nr));
        code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 3, static_cast<std::uint32_t>(call)});
        // Of a little-endian processor.
        load(static_cast<std::uint32_t>(offsetof(seccomp_data, args) +
                                        sizeof(std::uint64_t) * static_cast<unsigned>(argument)));
        answer_if(comparison, static_cast<std::uint32_t>(value), verdict);
        return *this;
    }

    // Returns the listener if it has flags for one.
    int install(unsigned flags = 0) {
        code_.push_back({BPF_RET | BPF_K, 0, 0, allow});
        const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
        long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        if (result < 0 && errno == EACCES) {
            expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
            result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        }
        if (result < 0) {
            leave_out_here("this machine forbids seccomp filters");
        }
        return static_cast<int>(result);
    }

private:
    void load(std::uint32_t offset) { code_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}); }
    void answer_if(std::uint16_t comparison, std::uint32_t value, std::uint32_t verdict) {
        code_.push_back({static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), 0, 1, value});
        code_.push_back({BPF_RET | BPF_K, 0, 0, verdict});
    }

    std::vector<sock_filter> code_{};
};

constexpr std::uint64_t new_namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                         CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;
// Of unshare(2) alone: clone(2) has the signal in these bits.
constexpr std::uint64_t new_time = CLONE_NEWTIME;

// Landlock's versions, and what each knows.
struct KnownRights {
    std::uint64_t files;
    std::uint64_t network;
    std::uint64_t scopes;
};
KnownRights rights_of(int version) {
    const std::uint64_t files = version < 2   ? 0x1fff
                                : version < 3 ? 0x3fff
                                : version < 5 ? 0x7fff
                                              : 0xffff;
    return {files, version < 4 ? 0U : 3U, version < 6 ? 0U : 3U};
}

// Of another process.
void* pointer_from(std::uint64_t address) {
    void* pointer = nullptr;
    std::memcpy(&pointer, &address, sizeof pointer);
    return pointer;
}

// As the older kernel answers; 0: the one at hand is to answer.
int error_of_ruleset(const seccomp_notif& call, int version) {
    KnownRights asked{};
    const std::size_t size = std::min<std::size_t>(call.data.args[1], sizeof asked);
    const iovec to{&asked, size};
    const iovec from{pointer_from(call.data.args[0]), size};
    const auto caller = static_cast<pid_t>(call.pid);
    if (process_vm_readv(caller, &to, 1, &from, 1, 0) != static_cast<ssize_t>(size)) {
        return ENOTRECOVERABLE;  // not to be taken for an answer of Landlock's
    }
    const KnownRights known = rights_of(version);
    if ((known.network == 0 && asked.network != 0) || (known.scopes == 0 && asked.scopes != 0)) {
        return E2BIG;
    }
    return (asked.files & ~known.files) != 0 ? EINVAL : 0;
}

[[noreturn]] void answer_as_landlock(int listener, int version) {
    constexpr std::uint64_t ask_for_version = 1;
    for (;;) {
        seccomp_notif call{};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
            continue;  // the caller is gone
        }
        seccomp_notif_resp answer{};
        answer.id = call.id;
        if (call.data.args[2] == ask_for_version) {
            answer.val = version;
        } else {
            answer.error = -error_of_ruleset(call, version);
            answer.flags = answer.error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

}  // namespace

void docker_filter() {
    Filter filter;
    filter.add({SYS_clone3}, refuse(ENOSYS))
        .add(SYS_clone, 0, BPF_JSET, new_namespaces, refuse(EPERM))
        .add(SYS_socket, 0, BPF_JEQ, AF_VSOCK, refuse(EPERM))
        .add({SYS_unshare,
              SYS_setns,
              SYS_mount,
              SYS_umount2,
              SYS_pivot_root,
              SYS_move_mount,
              SYS_open_tree,
              SYS_fsopen,
              SYS_fsmount,
              SYS_fsconfig,
              SYS_fspick,
              SYS_mount_setattr,
              SYS_keyctl,
              SYS_add_key,
              SYS_request_key,
              SYS_bpf,
              SYS_perf_event_open,
              SYS_userfaultfd,
              SYS_sethostname,
              SYS_setdomainname,
              SYS_acct,
              SYS_swapon,
              SYS_swapoff,
              SYS_reboot,
              SYS_init_module,
              SYS_finit_module,
              SYS_delete_module,
              SYS_kexec_load,
              SYS_quotactl,
              SYS_syslog,
              SYS_vhangup,
              SYS_fanotify_init,
              SYS_open_by_handle_at,
              SYS_lookup_dcookie,
              SYS_settimeofday,
              SYS_clock_settime,
              SYS_io_uring_setup,
              SYS_io_uring_enter,
              SYS_io_uring_register},
             refuse(EPERM))
        .install();
}

void strip_user_namespaces() {
    Filter filter;
    filter.add(SYS_unshare, 0, BPF_JSET, CLONE_NEWUSER, allow)
        .add(SYS_unshare, 0, BPF_JSET, new_namespaces | new_time, refuse(EPERM))
        .add(SYS_clone, 0, BPF_JSET, CLONE_NEWUSER, allow)
        .add(SYS_clone, 0, BPF_JSET, new_namespaces, refuse(EPERM))
        .add(SYS_ioctl, 1, BPF_JEQ, SIOCSIFFLAGS, refuse(EPERM))
        .add({SYS_mount, SYS_umount2, SYS_pivot_root, SYS_move_mount, SYS_open_tree, SYS_fsopen,
              SYS_fsmount, SYS_fsconfig, SYS_mount_setattr, SYS_setns, SYS_chroot, SYS_sethostname,
              SYS_setdomainname, SYS_setgroups},
             refuse(EPERM))
        .install();
}

void without_landlock(NoLandlock why) {
    const int error = why == NoLandlock::not_built ? ENOSYS : EOPNOTSUPP;
    Filter()
        .add({SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self},
             refuse(error))
        .install();
}

void old_landlock(int version) {
    Filter filter;
    if (version < 7) {
        filter.add(SYS_landlock_restrict_self, 1, BPF_JSET, ~0U, refuse(EINVAL));
    }
    const int listener = filter.add({SYS_landlock_create_ruleset}, SECCOMP_RET_USER_NOTIF)
                             .install(SECCOMP_FILTER_FLAG_NEW_LISTENER);
    const pid_t caller = getpid();
    if (const pid_t kernel = fork(); kernel == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != caller) {
            _exit(0);
        }
        answer_as_landlock(listener, version);
    } else {
        expect(kernel > 0);
    }
    close(listener);
}

void kill_for_system_calls(std::initializer_list<long> numbers) {
    Filter().add(numbers, SECCOMP_RET_KILL_PROCESS).install();
}

void in_landlock_domain() {
    constexpr std::uint64_t all_rights = 0x1fff;  // of version 1
    const KnownRights handled{.files = all_rights, .network = 0, .scopes = 0};
    struct __attribute__((packed)) {
        std::uint64_t allowed;
        std::int32_t directory;
    } const everywhere{all_rights, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    const auto ruleset =
        static_cast<int>(syscall(SYS_landlock_create_ruleset, &handled, sizeof handled.files, 0));
    if (ruleset < 0) {
        leave_out_here("this kernel has no Landlock");
    }
    constexpr int rule_of_path = 1;
    expect(syscall(SYS_landlock_add_rule, ruleset, rule_of_path, &everywhere, 0) == 0);
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(syscall(SYS_landlock_restrict_self, ruleset, 0) == 0);
    close(ruleset);
    close(everywhere.directory);
}

}  // namespace syncspawn::testing
