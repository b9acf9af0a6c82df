#include "child_hook.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

#include "hook_category.hpp"

// What runs in the child is in HookInChild. Its memory is a copy of the parent's, whose locks may be held for
// ever here: bare system calls only, and no memory but what was made before.

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace syncspawn::tools {
namespace {

constexpr const char* shell = "/bin/sh";
constexpr std::string_view pid_variable = "SYNCSPAWN_CHILD_PID=";
constexpr std::size_t kernel_signal_set_size = _NSIG / 8;

class HookInChild {
public:
    HookInChild(std::string command, const SpawnOptions& options, int null_device)
        : command_(std::move(command)), environment_(options.environment), null_(null_device) {
        if (options.signals.mask) {
            mask_ = *options.signals.mask;
        } else {
            pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
        }
        environment_.unset(pid_variable.substr(0, pid_variable.size() - 1));
        for (const std::string& entry : environment_.entries()) {
            entries_.push_back(entry.c_str());
        }
        entries_.push_back(pid_entry_.data());
        entries_.push_back(nullptr);
    }

    std::error_code run(ChildSide& side) noexcept {
        if (syscall(SYS_faccessat, AT_FDCWD, shell, X_OK) < 0) {
            return side.fail("execute '/bin/sh'");
        }
        const long own_pid = syscall(SYS_getpid);
        write_pid(own_pid);
        const long hook = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
        if (hook == 0) {
            become_hook(own_pid);
        }
        if (hook < 0) {
            return side.fail("clone");
        }
        int status = 0;
        while (syscall(SYS_wait4, hook, &status, 0, nullptr) < 0) {
            if (errno != EINTR) {
                return side.fail("wait4");
            }
        }
        return status == 0 ? side.done() : side.fail({status, hook_category}, "");
    }

private:
    void write_pid(long pid) noexcept {
        char* const digits =
            std::copy(pid_variable.begin(), pid_variable.end(), pid_entry_.begin());
        *std::to_chars(digits, pid_entry_.end() - 1, pid).ptr = '\0';
    }

    [[noreturn]] void become_hook(long child) noexcept {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const long parent = syscall(SYS_getppid);
        if (parent == child || parent == 0) {  // 0: in another pid namespace
            keep_capabilities();
            syscall(SYS_dup3, null_, STDIN_FILENO, 0);
            // What it leaves in the background would keep a pipe of the caller's open (Linux 5.9).
            syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
            syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask_, nullptr, kernel_signal_set_size);
            const std::array<const char*, 4> arguments{"sh", "-c", command_.c_str(), nullptr};
            syscall(SYS_execve, shell, arguments.data(), entries_.data());
        }
        constexpr int not_executed = 126;
        for (;;) {
            syscall(SYS_exit_group, not_executed);
        }
    }

    // Who is not uid 0 would lose them by execve. What cannot be kept is not missed before it is needed.
    static void keep_capabilities() noexcept {
        if (syscall(SYS_geteuid) == 0) {
            return;
        }
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
        if (syscall(SYS_capget, &header, sets.data()) < 0) {
            return;
        }
        for (__user_cap_data_struct& set : sets) {
            set.inheritable = set.permitted;
        }
        if (syscall(SYS_capset, &header, sets.data()) < 0) {
            return;
        }
        for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
        }
    }

    std::string command_;
    Environment environment_;
    std::vector<const char*> entries_;
    std::array<char, 48> pid_entry_{};
    sigset_t mask_{};
    int null_;
};

}  // namespace

ChildPart child_hook(const std::string& command, const SpawnOptions& options, int null_device) {
    return async_signal_safe([hook = std::make_shared<HookInChild>(command, options, null_device)](
                                 ChildSide& side) { return hook->run(side); });
}

}  // namespace syncspawn::tools
