#include "exec_search.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace syncspawn::detail {
namespace {

constexpr long first_pause = 1'000'000;
constexpr long longest_pause = 64'000'000;

bool exists(const char* path) noexcept {
    struct stat about {};
    return stat(path, &about) == 0;
}

// Returns the errno.
int execute(const char* path, char* const* arguments, char* const* environment,
            int tries) noexcept {
    timespec pause{0, first_pause};
    for (;;) {
        execve(path, arguments, environment);
        if (errno != ETXTBSY || --tries <= 0) {
            return errno;
        }
        ppoll(nullptr, 0, &pause, nullptr);
        pause.tv_nsec = std::min(2 * pause.tv_nsec, longest_pause);
    }
}

// Nothing was found under this path. Else the error is about an interpreter.
bool is_missing(const char* path, int error) noexcept {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
            return !exists(path);
        case ESTALE:
        case ENODEV:
        case ETIMEDOUT:
            return true;  // the file system's own, and looking again may take as long
        default:
            return false;
    }
}

}  // namespace

FailedExec execute_first_of(const char* const* paths, char* const* arguments,
                            char* const* environment, int tries_if_busy) noexcept {
    const bool is_search = paths[1] != nullptr;
    FailedExec failure{paths[0], 0};
    for (const char* const* path = paths; *path != nullptr; ++path) {
        const int error = execute(*path, arguments, environment, tries_if_busy);
        if (error == EACCES) {
            failure = {*path, EACCES};
        } else if (!is_missing(*path, error)) {
            return {*path, error};
        } else if (failure.error != EACCES && failure.error != ENOENT) {
            failure = {*path, is_search && error == ENOTDIR ? ENOENT : error};
        }
    }
    return failure;
}

}  // namespace syncspawn::detail
