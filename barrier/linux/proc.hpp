#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bounded_text.hpp"

// What /proc says. Async-signal-safe but for what answers with a std::string; none of it throws but that.
// "Nothing" where there is no such file or no such line, and for a process that is not there.

namespace syncspawn::detail::proc {

// A file of /proc or /sys, read from its beginning to its end:
//
//     proc::File status("/proc/", pid, "/status");
//     if (status.find("NSpid:")) { while (const auto number = status.number()) ... }
//
// In small pieces: a line may be long (the groups of a status), the stack of a child between fork and
// execve may not. The kernel keeps such a file as it was at the first read(2), line by line at least.
class File {
public:
    // The path, as the pieces of a BoundedText.
    template <class... Pieces>
    explicit File(const Pieces&... pieces) noexcept {
        char path[96];
        BoundedText text(path);
        (text << ... << pieces);
        fd_ = text.is_cut() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    }
    ~File() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    static constexpr int end = -1;  // or an error

    // The next character, which stays there.
    [[nodiscard]] int peek() noexcept {
        if (at_ == size_) {
            const ssize_t size = fd_ >= 0 ? read(fd_, piece_, sizeof piece_) : 0;
            at_ = 0;
            size_ = size > 0 ? static_cast<std::size_t>(size) : 0;
        }
        return at_ < size_ ? static_cast<unsigned char>(piece_[at_]) : end;
    }
    int next() noexcept {
        const int character = peek();
        if (character != end) {
            ++at_;
            begins_line_ = character == '\n';
        }
        return character;
    }

    // Goes to behind `key` ("NSpid:") at the beginning of a line, from here on. False at the end.
    [[nodiscard]] bool find(std::string_view key) noexcept {
        while (begins_line_ || skip_line()) {
            std::size_t matched = 0;
            while (matched < key.size() && peek() == static_cast<unsigned char>(key[matched])) {
                next();
                ++matched;
            }
            if (matched == key.size()) {
                return true;
            }
            if (matched == 0 && !skip_line()) {
                break;
            }
        }
        return false;
    }

    // The next number in this line, with nothing but blanks in front. Goes to behind it.
    [[nodiscard]] std::optional<std::int64_t> number(unsigned base = 10) noexcept {
        while (peek() == ' ' || peek() == '\t') {
            next();
        }
        const bool is_negative = peek() == '-';
        if (is_negative) {
            next();
        }
        if (digit(base) < 0) {
            return std::nullopt;
        }
        std::uint64_t value = 0;
        for (int next_digit = 0; (next_digit = digit(base)) >= 0; next()) {
            value = value * base + static_cast<unsigned>(next_digit);
        }
        return static_cast<std::int64_t>(is_negative ? 0 - value : value);
    }

    // What is left of this line. False at the end.
    bool read_line(std::string& line) {
        line.clear();
        if (peek() == end) {
            return false;
        }
        for (int character = 0; (character = next()) != '\n' && character != end;) {
            line += static_cast<char>(character);
        }
        return true;
    }

private:
    [[nodiscard]] int digit(unsigned base) noexcept {
        const int character = peek();
        int value = -1;
        if (character >= '0' && character <= '9') {
            value = character - '0';
        } else if (character >= 'a' && character <= 'f') {
            value = character - 'a' + 10;
        }
        return value < static_cast<int>(base) ? value : -1;
    }
    bool skip_line() noexcept {
        int character = 0;
        do {
            character = next();
        } while (character != '\n' && character != end);
        return character == '\n';
    }

    int fd_ = -1;
    char piece_[256]{};
    std::size_t at_ = 0;
    std::size_t size_ = 0;
    bool begins_line_ = true;
};

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

// The flags of a process (PF_FORKNOEXEC and others), the seventh field behind its name in its stat. The
// name stands in parentheses and may contain anything; what follows it contains none.
inline std::optional<std::uint64_t> flags_of(pid_t process) noexcept {
    constexpr int place = 7;
    File stat("/proc/", process, "/stat");
    std::optional<std::uint64_t> flags;
    int blanks = 0;
    for (int character = 0; (character = stat.next()) != File::end;) {
        if (character == ')') {
            blanks = 0;
            flags.reset();
        } else if (character == ' ') {
            ++blanks;
        } else if (blanks == place && character >= '0' && character <= '9') {
            flags = flags.value_or(0) * 10 + static_cast<unsigned>(character - '0');
        }
    }
    return flags;
}

}  // namespace syncspawn::detail::proc

namespace syncspawn::core {
namespace proc = detail::proc;
}
