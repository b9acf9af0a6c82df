#include "proc_self.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <iterator>

namespace syncspawn::core::proc {
namespace {

// The numbers that follow `key` at the start of a line.
struct Numbers {
    int count = 0;
    std::int64_t first = 0;
};

// Reads a file of /proc in small pieces: a line may be long (the groups of a status), the stack of
// a child between fork and execve may not.
Numbers numbers_after(const char* path, const char* key) noexcept {
    Numbers numbers;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return numbers;
    }
    char piece[256];
    std::size_t matched = 0;  // of the key, in this line
    bool in_number = false;
    bool skip_line = false;
    bool done = false;
    for (ssize_t size = 0; !done && (size = read(fd, piece, sizeof piece)) > 0;) {
        for (ssize_t index = 0; index < size && !done; ++index) {
            const char character = piece[index];
            if (character == '\n') {
                done = !skip_line && key[matched] == '\0';
                matched = 0;
                skip_line = false;
                in_number = false;
            } else if (skip_line) {
                continue;
            } else if (key[matched] != '\0') {
                skip_line = character != key[matched];
                ++matched;
            } else if (character >= '0' && character <= '9') {
                numbers.count += in_number ? 0 : 1;
                in_number = true;
                if (numbers.count == 1) {
                    numbers.first = numbers.first * 10 + (character - '0');
                }
            } else {
                in_number = false;
            }
        }
    }
    close(fd);
    return numbers;
}

// "PREFIX" + number + "SUFFIX"
struct Path {
    Path(const char* prefix, std::int64_t number, const char* suffix) noexcept {
        char digits[20];
        char* first = std::end(digits);
        do {
            *--first = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        char* at = text;
        for (; *prefix != '\0'; ++prefix) {
            *at++ = *prefix;
        }
        while (first != std::end(digits)) {
            *at++ = *first++;
        }
        for (; *suffix != '\0'; ++suffix) {
            *at++ = *suffix;
        }
        *at = '\0';
    }
    char text[64];
};

}  // namespace

bool is_of_this_pid_namespace() noexcept {
    return numbers_after("/proc/self/status", "NSpid:").count == 1;
}

std::int64_t pid_namespace() noexcept {
    struct stat about {};
    return stat("/proc/self/ns/pid", &about) == 0 ? static_cast<std::int64_t>(about.st_ino) : 0;
}

std::int64_t eventfd_id(int fd) noexcept {
    return numbers_after(Path("/proc/self/fdinfo/", fd, "").text, "eventfd-id:").first;
}

bool is_ancestor(std::int64_t pid) noexcept {
    for (std::int64_t at = getpid(); at > 1;) {
        at = numbers_after(Path("/proc/", at, "/status").text, "PPid:").first;
        if (at == pid) {
            return true;
        }
    }
    return false;
}

}  // namespace syncspawn::core::proc
