#include "open_descriptors.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace syncspawn::detail {
namespace {

constexpr unsigned close_on_exec_flag = 4;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
constexpr int first_of_ours = 3;

bool close_range(unsigned first, unsigned last, unsigned flags) noexcept {
    return syscall(SYS_close_range, first, last, flags) == 0;
}

// What getdents64(2) writes.
struct DirectoryEntry {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
};

int number_of(const char* name) noexcept {
    int number = 0;
    for (; *name >= '0' && *name <= '9'; ++name) {
        number = number * 10 + (*name - '0');
    }
    return *name == '\0' ? number : -1;
}

// For kernels before 5.9 and filters without close_range: every open descriptor from `first` on, as
// /proc lists them, else every possible number.
template <class Visit>
bool for_each_open(int first, Visit visit) noexcept {
    const int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        rlimit limit{};
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
            return false;
        }
        const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_max, 1 << 20));
        for (int fd = first; fd < end; ++fd) {
            visit(fd);
        }
        return true;
    }
    alignas(DirectoryEntry) char buffer[1024];
    long size = 0;
    while ((size = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < size;) {
            const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
            const char* name = buffer + at + offsetof(DirectoryEntry, name);
            const int fd = *name == '.' ? -1 : number_of(name);
            if (fd >= first && fd != directory) {
                visit(fd);
            }
            at += entry->size;
        }
    }
    const int error = errno;
    close(directory);
    errno = error;
    return size == 0;
}

}  // namespace

bool close_all_but(const int* kept, std::size_t count) noexcept {
    unsigned begin = first_of_ours;
    bool done = true;
    for (std::size_t index = 0; done && index < count; ++index) {
        const auto fd = static_cast<unsigned>(kept[index]);
        done = fd <= begin || close_range(begin, fd - 1, 0);
        begin = std::max(begin, fd + 1);
    }
    if (done && close_range(begin, UINT_MAX, 0)) {
        return true;
    }
    return for_each_open(first_of_ours, [&](int fd) {
        if (!std::binary_search(kept, kept + count, fd)) {
            close(fd);
        }
    });
}

bool close_on_exec_all_but(const int* kept, std::size_t count) noexcept {
    const int* const end = kept + count;
    unsigned begin = 0;
    bool done = true;
    while (done) {
        // The next one that is kept; the largest number there is if none is left.
        unsigned next = UINT_MAX;
        for (const int* fd = kept; fd != end; ++fd) {
            if (*fd >= 0 && static_cast<unsigned>(*fd) >= begin) {
                next = std::min(next, static_cast<unsigned>(*fd));
            }
        }
        if (next == UINT_MAX) {
            break;
        }
        done = next == begin || close_range(begin, next - 1, close_on_exec_flag);
        begin = next + 1;
    }
    if (done && close_range(begin, UINT_MAX, close_on_exec_flag)) {
        return true;
    }
    return for_each_open(0, [&](int fd) {
        if (std::find(kept, end, fd) == end) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    });
}

}  // namespace syncspawn::detail
