#include "program_state.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "own_proc.hpp"

namespace syncspawn::detail {

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
