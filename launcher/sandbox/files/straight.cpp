#include "straight.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace syncspawn::sandbox {
namespace {

// A kernel before 5.6, or a filter.
bool is_not_here(int error) noexcept { return error == ENOSYS || error == EPERM; }

UniqueFd open_name(int directory, const std::string& name, int flags) {
    UniqueFd opened(openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC | flags));
    struct stat about {};
    if (opened && fstat(opened.get(), &about) == 0 && S_ISLNK(about.st_mode)) {
        opened.reset();
        errno = ELOOP;
    }
    return opened;
}

UniqueFd open_name_by_name(const std::string& path, int flags) {
    UniqueFd at = open_name(AT_FDCWD, "/", 0);
    for (std::size_t begin = path.find_first_not_of('/'); at && begin != std::string::npos;) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        at = open_name(at.get(), path.substr(begin, end - begin), 0);
        begin = path.find_first_not_of('/', end);
    }
    return at && flags != 0 ? open_name(at.get(), ".", flags) : std::move(at);
}

}  // namespace

UniqueFd open_straight(const std::string& path, int flags) {
    open_how how{};
    how.flags = static_cast<unsigned>(O_PATH | O_CLOEXEC | flags);
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    UniqueFd opened(
        static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
    return opened || !is_not_here(errno) ? std::move(opened) : open_name_by_name(path, flags);
}

}  // namespace syncspawn::sandbox
