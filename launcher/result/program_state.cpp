#include "program_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "barrier/linux/proc.hpp"

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

Execution execution_after_sharing(pid_t child) {
    // A process that ends has no memory any more (ESRCH), while one that executed a program does: the
    // address is wrong there (EFAULT), or none of our business (EPERM).
    char byte = 0;
    const iovec here{&byte, 1};
    const iovec there{nullptr, 1};
    if (process_vm_readv(child, &here, 1, &there, 1, 0) < 0 &&
        (errno == EFAULT || errno == EPERM)) {
        return Execution::done;
    }
    // It ends, or has ended. Between the commit and execve a child does not exit without having
    // claimed a failure, so only one that was killed may have got no further.
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
        info.si_pid == child && info.si_code == CLD_EXITED) {
        return Execution::done;
    }
    return execution_of(child);
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
