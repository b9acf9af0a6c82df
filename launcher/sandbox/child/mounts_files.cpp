#include <cerrno>
#include <cstring>
#include <string_view>

#include "mounts_work.hpp"

namespace syncspawn::sandbox {
namespace {

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452  // Linux 6.6
#endif

bool write_all(int file, const char* text, std::size_t size) noexcept {
    while (size > 0) {
        const ssize_t written = write(file, text, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        text += written;
        size -= static_cast<std::size_t>(written);
    }
    return true;
}

// The directory in which something is to be made, and which allows it.
Opened workplace(MountWork& work, const char* path) noexcept {
    Opened directory = directory_above(work, path);
    if (directory && !may_make_in(work, directory.get())) {
        return {};
    }
    return directory;
}

bool says(int directory, const char* name, std::string_view target) noexcept {
    char found[PATH_MAX];
    const long size = syscall(SYS_readlinkat, directory, name, found, sizeof found);
    return size >= 0 && std::string_view(found, static_cast<std::size_t>(size)) == target;
}

// Before Linux 6.6, only what can be opened for reading.
bool set_mode(MountWork& work, int file, const char* path, mode_t mode) noexcept {
    if (syscall(SYS_fchmodat2, file, "", mode, AT_EMPTY_PATH) == 0) {
        return true;
    }
    if (errno != ENOSYS) {
        return false;
    }
    const Opened opened = open_by(work, work.root.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                                  RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    return opened && syscall(SYS_fchmod, opened.get(), mode) == 0;
}

// With its mode as it is.
bool write_over(MountWork& work, const MountAction& action) noexcept {
    const Opened file =
        open_by(work, work.root.get(), action.destination, O_WRONLY | O_NONBLOCK | O_NOCTTY,
                RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    struct statx about {};
    if (!file || !calls::statx(file.get(), STATX_TYPE, about)) {
        return refuse(work, "open what is there");
    }
    if (!S_ISREG(about.stx_mode)) {
        return refuse(work, "what is there is no file", EEXIST);
    }
    return (syscall(SYS_ftruncate, file.get(), 0) == 0 &&
            write_all(file.get(), action.text, action.text_size)) ||
           refuse(work, "write");
}

}  // namespace

bool write_new_file(MountWork& work, int directory, const char* name, const MountAction& action,
                    mode_t mode) noexcept {
    const Opened file(
        work.closing,
        static_cast<int>(syscall(SYS_openat, directory, name,
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)));
    if (!file) {
        return refuse(work, "make the file");
    }
    return write_all(file.get(), action.text, action.text_size) || refuse(work, "write");
}

bool make_directory(MountWork& work, const MountAction& action) noexcept {
    if (const Opened place = find(work, action.destination)) {
        struct statx about {};
        return (calls::statx(place.get(), STATX_TYPE, about) && S_ISDIR(about.stx_mode)) ||
               refuse(work, "something else is there", EEXIST);
    }
    const Opened directory = workplace(work, action.destination);
    if (!directory) {
        return false;
    }
    return syscall(SYS_mkdirat, directory.get(), last_name(action.destination), action.mode) == 0 ||
           refuse(work, "mkdirat");
}

bool make_symlink(MountWork& work, const MountAction& action) noexcept {
    const Opened directory = directory_above(work, action.destination);
    if (!directory) {
        return false;
    }
    const char* const name = last_name(action.destination);
    if (says(directory.get(), name, action.text)) {
        return true;
    }
    return may_make_in(work, directory.get()) &&
           (syscall(SYS_symlinkat, action.text, directory.get(), name) == 0 ||
            refuse(work, errno == EEXIST ? "something else is there" : "symlinkat"));
}

bool make_file(MountWork& work, const MountAction& action) noexcept {
    if (work.plan.may_change_host && find(work, action.destination)) {
        return write_over(work, action);
    }
    const Opened directory = workplace(work, action.destination);
    return directory && write_new_file(work, directory.get(), last_name(action.destination), action,
                                       action.mode & ~work.umask);
}

bool change_mode(MountWork& work, const MountAction& action) noexcept {
    const Opened place = find(work, action.destination);
    struct statx about {};
    if (!place || !calls::statx(place.get(), STATX_INO, about)) {
        return refuse(work, "openat2");
    }
    if (!work.plan.may_change_host && !is_own(work, about)) {
        return refuse(work, "it is a file of the host", EPERM);
    }
    return set_mode(work, place.get(), action.destination, action.mode) ||
           refuse(work, "fchmodat2");
}

}  // namespace syncspawn::sandbox
