#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proc_file.hpp"

// What /proc says. Async-signal-safe but for what answers with a std::string; none of it throws but that.
// "Nothing" where there is no such file or no such line, and for a process that is not there.

namespace syncspawn::detail::proc {

// The number that a file begins with, as those of /proc/sys do.
template <class... Pieces>
std::optional<std::int64_t> number_in(const Pieces&... path) noexcept {
    return File(path...).number();
}

// The first number behind a key, in the status of a process or thread ("self", 123, "self/task/123").
template <class Process>
std::optional<std::int64_t> status_number(const Process& process, std::string_view key,
                                          unsigned base = 10) noexcept {
    File status("/proc/", process, "/status");
    return status.find(key) ? status.number(base) : std::nullopt;
}

// All behind the key and its blanks; empty for nothing.
template <class Process>
std::string status_text(const Process& process, std::string_view key) {
    File status("/proc/", process, "/status");
    std::string line;
    if (!status.find(key) || !status.read_line(line)) {
        return {};
    }
    return line.erase(0, line.find_first_not_of(" \t"));
}

// The numbers of a process, one for each pid namespace: in that of /proc first, in its own last (NSpid,
// Linux 4.1). From its status, that was not read as far as that. The count is 0 for nothing.
struct OwnNumbers {
    int count = 0;
    std::int64_t last = 0;
};
inline OwnNumbers own_numbers(File& status) noexcept {
    OwnNumbers numbers;
    if (status.find("NSpid:")) {
        while (const auto number = status.number()) {
            numbers = {numbers.count + 1, *number};
        }
    }
    return numbers;
}

// Whether the /proc at hand numbers processes as this one does. In another pid namespace than the one
// that /proc was mounted in, a number there means some other process. This process may have the same
// number in both, so NSpid is asked, too.
inline bool is_of_this_pid_namespace() noexcept {
    File status("/proc/self/status");
    return status.find("Pid:") && status.number() == getpid() && own_numbers(status).count <= 1;
}

// The inode of this process's pid namespace.
inline std::int64_t pid_namespace() noexcept {
    struct stat about {};
    return stat("/proc/self/ns/pid", &about) == 0 ? static_cast<std::int64_t>(about.st_ino) : 0;
}

// The number that tells eventfds apart (Linux 5.2); 0 for nothing.
inline std::int64_t eventfd_id(int fd) noexcept {
    File about("/proc/self/fdinfo/", fd);
    return about.find("eventfd-id:") ? about.number().value_or(0) : 0;
}

// Whether `pid` started, directly or not, this process. Needs the /proc of this pid namespace.
inline bool is_ancestor(std::int64_t pid) noexcept {
    for (std::int64_t at = getpid(); at > 1;) {
        at = status_number(at, "PPid:").value_or(0);
        if (at == pid) {
            return true;
        }
    }
    return false;
}

// A number in the stat of a process, so many fields behind its name. That stands in parentheses and may contain
// anything; what follows it contains none.
inline std::optional<std::uint64_t> stat_number(pid_t process, int place) noexcept {
    File stat("/proc/", process, "/stat");
    const std::string_view line = stat.piece();
    std::size_t at = line.rfind(')');
    for (int blanks = 0; blanks < place && at != std::string_view::npos; ++blanks) {
        at = line.find(' ', at + 1);
    }
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    stat.skip(at);
    const auto number = stat.number();
    return number ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
}

// The flags of a process: PF_FORKNOEXEC and others.
inline std::optional<std::uint64_t> flags_of(pid_t process) noexcept {
    constexpr int place = 7;
    return stat_number(process, place);
}

// When a process was started, in clock ticks since boot. No two that have had a pid were started in the same.
inline std::optional<std::uint64_t> start_time_of(pid_t process) noexcept {
    constexpr int place = 20;
    return stat_number(process, place);
}

}  // namespace syncspawn::detail::proc

// The barrier's own code says it without a prefix.
namespace syncspawn::core {
namespace proc = detail::proc;
}
