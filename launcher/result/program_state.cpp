#include "program_state.hpp"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "barrier/linux/own_pid.hpp"
#include "barrier/linux/proc.hpp"
#include "barrier/linux/wait_by_pid.hpp"

namespace syncspawn::detail {
namespace {

bool is_first_of_a_pid_namespace(pid_t process) noexcept {
    proc::File status("/proc/", process, "/status");
    const proc::OwnNumbers numbers = proc::own_numbers(status);
    return numbers.count > 1 && numbers.last == 1;
}

bool has_signal(pid_t process, const char* key, int signal) noexcept {
    const auto mask = proc::status_number(process, key, 16);
    return !mask || ((static_cast<std::uint64_t>(*mask) >> (signal - 1)) & 1U) != 0;
}

// In sigwait(3) the signals that it awaits are not shown as blocked.
bool may_await_signals(pid_t process) noexcept {
    constexpr long of_32_bit_programs[] = {177, 421};
    proc::File file("/proc/", process, "/syscall");
    if (file.peek() == proc::File::end) {
        return true;  // not for us to see
    }
    const std::int64_t call = file.number().value_or(-1);  // "running"
    return call == SYS_rt_sigtimedwait || call == of_32_bit_programs[0] ||
           call == of_32_bit_programs[1];
}

}  // namespace

Execution execution_of(pid_t child) {
    constexpr std::uint64_t forked_but_never_executed = 0x40;
    const auto flags = proc::is_of_this_pid_namespace() ? proc::flags_of(child) : std::nullopt;
    if (!flags) {
        return Execution::unknown;
    }
    return (*flags & forked_but_never_executed) != 0 ? Execution::never : Execution::done;
}

// It was started as a child that plain waits pass over, which its execve ends (birth.hpp). This does not wait for the
// rest of that execve, as a look at its memory would, nor for anything else.
Execution execution_after_sharing(pid_t child) {
    constexpr int look = WEXITED | WNOHANG | WNOWAIT;
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(child), &info, look) == 0) {
        return Execution::done;
    }
    // If even this does not find it, somebody else has reaped it. An emulation may have another view of execve.
    const bool is_there = wait_by_pid(child, info, look) == 0;
    const Execution told = execution_of(child);
    return is_there && told == Execution::unknown ? Execution::never : told;
}

// KCMP_VM waits for the lock that an execve holds once it has begun to change memory. But between the letting go and that
// lock a child may lose its CPU, with the old memory still its own.
void await_rest_of_execve(pid_t child) noexcept {
    constexpr timespec pause{0, 50'000};
    long order = 0;
    while ((order = syscall(SYS_kcmp, own_pid(), child, KCMP_VM, 0, 0)) == 0) {
        nanosleep(&pause, nullptr);
    }
    if (order < 0) {  // no such call, or not for us: this waits for the lock, too
        char byte = 0;
        const iovec here{&byte, 1};
        const iovec there{nullptr, 1};
        (void)process_vm_readv(child, &here, 1, &there, 1, 0);
    }
}

bool is_deaf_to(pid_t child, int signal) noexcept {
    return proc::is_of_this_pid_namespace() && is_first_of_a_pid_namespace(child) &&
           !has_signal(child, "SigCgt:", signal) && !has_signal(child, "SigBlk:", signal) &&
           !may_await_signals(child);
}

pid_t first_child_of(pid_t process) noexcept {
    proc::File children("/proc/", process, "/task/", process, "/children");
    return static_cast<pid_t>(children.number().value_or(process));
}

Attachment attachment_of(pid_t child, const syncspawn_barrier& parents_side) {
    struct stat pipe {};
    if (!proc::is_of_this_pid_namespace() || fstat(parents_side.pipe_read_fd, &pipe) < 0) {
        return Attachment::unknown;
    }
    const std::string process = "/proc/" + std::to_string(child);
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(process + "/fd", error)) {
        struct stat about {};
        if (stat(entry.path().c_str(), &about) < 0 || about.st_ino != pipe.st_ino ||
            about.st_dev != pipe.st_dev) {
            continue;
        }
        proc::File info(process, "/fdinfo/", entry.path().filename().c_str());
        const auto flags = info.find("flags:") ? info.number(8) : std::nullopt;
        if (flags) {
            return (*flags & O_CLOEXEC) != 0 ? Attachment::attached : Attachment::never;
        }
    }
    return Attachment::unknown;
}

}  // namespace syncspawn::detail
