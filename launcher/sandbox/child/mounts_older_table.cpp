#include "mounts_older_table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "barrier/linux/bounded_text.hpp"
#include "mounts_calls.hpp"

namespace syncspawn::sandbox::older {
namespace {

// Reads a file of /proc whole; what it says, or -1 if it does not fit with a NUL behind it.
long read_whole(const char* path, char* into, std::size_t room) noexcept {
    const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    std::size_t size = 0;
    long part = 0;
    while (size < room && (part = syscall(SYS_read, fd, into + size, room - size)) > 0) {
        size += static_cast<std::size_t>(part);
    }
    const int error = part < 0 ? errno : EFBIG;
    syscall(SYS_close, fd);
    errno = error;
    if (part < 0 || size == room) {
        return -1;
    }
    into[size] = '\0';
    return static_cast<long>(size);
}

int number_at(const char*& at) noexcept {
    int number = 0;
    for (; *at >= '0' && *at <= '9'; ++at) {
        number = number * 10 + (*at - '0');
    }
    return number;
}

void skip_column(const char*& at) noexcept {
    at += std::strcspn(at, " \n");
    at += *at == ' ' ? 1 : 0;
}

unsigned long flags_at(const char* at) noexcept {
    constexpr struct {
        std::string_view word;
        unsigned long flag;
    } words[]{{"ro", calls::read_only},
              {"nosuid", calls::nosuid},
              {"nodev", calls::nodev},
              {"noexec", calls::noexec},
              {"nosymfollow", calls::nosymfollow}};
    unsigned long flags = 0;
    for (std::size_t size = 0; *at != ' ' && *at != '\0'; at += size + (at[size] == ',' ? 1 : 0)) {
        size = std::strcspn(at, ", ");
        for (const auto& known : words) {
            flags |= known.word == std::string_view(at, size) ? known.flag : 0;
        }
    }
    return flags;
}

bool is_octal(const char* text) noexcept {
    return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' && text[2] >= '0' &&
           text[2] <= '7';
}

}  // namespace

bool MountTable::read() noexcept {
    constexpr std::size_t first = 1 << 19;
    constexpr std::size_t most = 1 << 26;
    for (std::size_t room = first; room <= most; room *= 2) {
        let_go();
        const long memory = syscall(SYS_mmap, nullptr, room, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == -1) {
            return false;
        }
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel gives
        text_ = reinterpret_cast<char*>(memory);
        room_ = room;
        if (read_whole("/proc/self/mountinfo", text_, room - 1) >= 0) {
            return true;
        }
        if (errno != EFBIG) {
            return false;
        }
    }
    return false;
}

void MountTable::let_go() noexcept {
    if (text_ != nullptr) {
        syscall(SYS_munmap, text_, room_);
        text_ = nullptr;
    }
}

bool MountTable::next(const char*& at, MountLine& line) const noexcept {
    if (at == nullptr) {
        at = text_;
    } else {
        at += std::strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    if (*at == '\0') {
        return false;
    }
    const char* column = at;
    line.id = number_at(column);
    skip_column(column);
    line.parent = number_at(column);
    skip_column(column);
    skip_column(column);  // the device
    skip_column(column);  // what of its file system it shows
    line.path = column;
    line.path_size = std::strcspn(column, " \n");
    skip_column(column);
    line.flags = flags_at(column);
    return true;
}

bool copy_path(const MountLine& line, std::size_t skipped, char (&path)[PATH_MAX]) noexcept {
    detail::BoundedText copy(path);
    for (std::size_t at = skipped; at < line.path_size; ++at) {
        const char* const text = line.path + at;
        if (*text == '\\' && at + 3 < line.path_size && is_octal(text + 1)) {
            copy << static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
            at += 3;
        } else {
            copy << *text;
        }
    }
    return !copy.is_cut();
}

int mount_id(int fd) noexcept {
    constexpr std::string_view key = "mnt_id:\t";
    char path[40];
    char text[512];
    detail::BoundedText(path) << "/proc/self/fdinfo/" << fd;
    if (read_whole(path, text, sizeof text - 1) < 0) {
        return -1;
    }
    for (const char* line = text; *line != '\0';) {
        if (std::string_view(line).substr(0, key.size()) == key) {
            const char* number = line + key.size();
            return number_at(number);
        }
        line += std::strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    errno = ENOSYS;
    return -1;
}

}  // namespace syncspawn::sandbox::older
