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

// Half a second in all, about.
constexpr int tries_without_pause = 20'000;

// Returns the errno.
int execute(const Search& search, const char* path, char* const* arguments,
            char* const* environment) noexcept {
    const bool pauses = !search.has_looked_ahead;
    int tries = pauses || search.tries_if_busy <= 1 ? search.tries_if_busy : tries_without_pause;
    timespec pause{0, first_pause};
    for (;;) {
        execve(path, arguments, environment);
        if (errno != ETXTBSY || --tries <= 0) {
            return errno;
        }
        if (pauses) {
            ppoll(nullptr, 0, &pause, nullptr);
            pause.tv_nsec = std::min(2 * pause.tv_nsec, longest_pause);
        }
    }
}

// Nothing was found under this path. Else the error is about an interpreter.
bool is_missing(const Search& search, const char* const* path, int error) noexcept {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
            return search.has_looked_ahead ? path != search.first_there : !exists(*path);
        case ESTALE:
        case ENODEV:
        case ETIMEDOUT:
            return true;  // the file system's own, and looking again may take as long
        default:
            return false;
    }
}

}  // namespace

void look_ahead(Search& search) noexcept {
    search.has_looked_ahead = true;
    for (const char* const* path = search.paths; *path != nullptr; ++path) {
        if (exists(*path)) {
            search.first_there = path;
            return;
        }
    }
}

FailedExec execute_first_of(const Search& search, char* const* arguments,
                            char* const* environment) noexcept {
    const bool is_search = search.paths[1] != nullptr;
    FailedExec failure{search.paths[0], 0};
    for (const char* const* path = search.paths; *path != nullptr; ++path) {
        const int error = execute(search, *path, arguments, environment);
        if (error == EACCES) {
            failure = {*path, EACCES};
        } else if (!is_missing(search, path, error)) {
            return {*path, error};
        } else if (failure.error != EACCES && failure.error != ENOENT) {
            failure = {*path, is_search && error == ENOTDIR ? ENOENT : error};
        }
    }
    return failure;
}

}  // namespace syncspawn::detail
