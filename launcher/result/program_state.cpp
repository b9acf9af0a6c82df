#include "program_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "barrier/linux/own_proc.hpp"
#include "barrier/linux/proc_status.hpp"

namespace syncspawn::detail {
namespace {

bool is_first_of_a_pid_namespace(const std::string& process) {
    // One number for each namespace, from that of /proc inwards.
    const std::string numbers = proc_status(process, "NSpid:");
    const std::size_t last = numbers.find_last_of(" \t");
    return last != std::string::npos && numbers.substr(last + 1) == "1";
}

bool has_signal(const std::string& process, const char* key, int signal) {
    const std::string mask = proc_status(process, key);
    return mask.empty() || ((std::stoull(mask, nullptr, 16) >> (signal - 1)) & 1U) != 0;
}

// In sigwait(3) the signals that it awaits are not shown as blocked.
bool may_await_signals(const std::string& process) {
    constexpr long of_32_bit_programs[] = {177, 421};
    std::ifstream file("/proc/" + process + "/syscall");
    std::string number;
    if (!(file >> number)) {
        return true;  // not for us to see
    }
    const long call = number == "running" ? -1 : std::stol(number);
    return call == SYS_rt_sigtimedwait || call == of_32_bit_programs[0] ||
           call == of_32_bit_programs[1];
}

}  // namespace

Execution execution_of(pid_t child) {
    constexpr unsigned long forked_but_never_executed = 0x40;
    if (!proc_is_of_this_pid_namespace()) {
        return Execution::unknown;
    }
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/stat", child);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return Execution::unknown;
    }
    char text[512] = {};
    const ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    // The name, in parentheses, may contain anything; what follows its end does not.
    const char* rest = size > 0 ? std::strrchr(text, ')') : nullptr;
    unsigned long flags = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel's own number
    if (rest == nullptr || std::sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) != 1) {
        return Execution::unknown;
    }
    return (flags & forked_but_never_executed) != 0 ? Execution::never : Execution::done;
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
    try {
        const std::string process = std::to_string(child);
        return proc_is_of_this_pid_namespace() && is_first_of_a_pid_namespace(process) &&
               !has_signal(process, "SigCgt:", signal) && !has_signal(process, "SigBlk:", signal) &&
               !may_await_signals(process);
    } catch (const std::exception&) {  // no memory, or not a number
        return false;
    }
}

Attachment attachment_of(pid_t child, const syncspawn_barrier& parents_side) {
    struct stat pipe {};
    if (!proc_is_of_this_pid_namespace() || fstat(parents_side.pipe_read_fd, &pipe) < 0) {
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
        std::ifstream info(process + "/fdinfo/" + entry.path().filename().string());
        std::string key;
        for (unsigned long flags = 0; info >> key;) {
            if (key == "flags:" && info >> std::oct >> flags) {
                return (flags & O_CLOEXEC) != 0 ? Attachment::attached : Attachment::never;
            }
        }
    }
    return Attachment::unknown;
}

}  // namespace syncspawn::detail
