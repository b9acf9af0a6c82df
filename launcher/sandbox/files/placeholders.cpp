#include "placeholders.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string_view>
#include <system_error>
#include <utility>

namespace syncspawn::sandbox {
namespace {

[[noreturn]] void refuse(const std::string& call, const std::string& path) {
    throw std::system_error(errno, std::generic_category(), call + " '" + path + "'");
}

std::string made_directory(const std::string& path) {
    constexpr mode_t own = 0700;
    constexpr mode_t others = 022;
    struct stat about {};
    if ((mkdir(path.c_str(), own) < 0 && errno != EEXIST) || lstat(path.c_str(), &about) < 0) {
        refuse("mkdir", path);
    }
    if (!S_ISDIR(about.st_mode) || about.st_uid != geteuid() || (about.st_mode & others) != 0) {
        errno = EPERM;
        refuse("somebody else may write to", path);
    }
    return path;
}

std::string registry() {
    const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
    const std::string base = geteuid() == 0       ? "/run/syncspawn"
                             : runtime != nullptr ? std::string(runtime) + "/syncspawn"
                                                  : "/tmp/syncspawn-" + std::to_string(geteuid());
    return made_directory(made_directory(base) + "/absent");
}

UniqueFd open_straight(const std::string& directory) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return UniqueFd(
        static_cast<int>(syscall(SYS_openat2, AT_FDCWD, directory.c_str(), &how, sizeof how)));
}

// One for each directory and name, whatever path leads there.
std::string record_of(int directory, const std::string& path, const std::string& name) {
    struct stat about {};
    if (fstat(directory, &about) < 0) {
        refuse("stat", path);
    }
    return registry() + "/" + std::to_string(about.st_dev) + "-" + std::to_string(about.st_ino) +
           "-" + std::to_string(std::hash<std::string>{}(name));
}

// Shared, of a file that is still there when the lock is.
UniqueFd locked(const std::string& record, const std::string& path) {
    for (;;) {
        constexpr mode_t own = 0600;
        UniqueFd file(open(record.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, own));
        struct stat about {};
        if (!file || flock(file.get(), LOCK_SH) < 0 || fstat(file.get(), &about) < 0) {
            refuse("lock", record);
        }
        if (about.st_nlink > 0) {
            if (pwrite(file.get(), path.data(), path.size(), 0) !=
                static_cast<ssize_t>(path.size())) {
                refuse("write", record);
            }
            return file;
        }
    }
}

bool is_placeholder(int directory, const std::string& name) noexcept {
    char found[PATH_MAX];
    const ssize_t size = readlinkat(directory, name.c_str(), found, sizeof found);
    return size >= 0 &&
           std::string_view(found, static_cast<std::size_t>(size)) == placeholder_target;
}

std::string content_of(const UniqueFd& file) {
    char text[PATH_MAX];
    const ssize_t size = pread(file.get(), text, sizeof text, 0);
    return {text, static_cast<std::size_t>(size > 0 ? size : 0)};
}

std::pair<std::string, std::string> split(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

void Placeholders::place(const std::string& path) {
    auto [above, name] = split(path);
    UniqueFd directory = open_straight(above);
    if (!directory) {
        refuse("open", above);
    }
    const std::string record = record_of(directory.get(), above, name);
    Held held{std::move(directory), std::move(name), locked(record, path), record};
    const int directory_fd = held.directory.get();
    const bool is_made = symlinkat(placeholder_target, directory_fd, held.name.c_str()) == 0;
    const int error = is_made ? 0 : errno;
    if (is_made || (error == EEXIST && is_placeholder(directory_fd, held.name))) {
        held_.push_back(std::move(held));
        return;
    }
    let_go(held);
    // What this user cannot make, the sandbox cannot, either; but where the directory is its own, it could change
    // the mode.
    struct stat about {};
    const bool is_own = fstat(directory_fd, &about) < 0 || about.st_uid == geteuid();
    if (error != EEXIST && error != EROFS && (error != EACCES || is_own)) {
        errno = error;
        refuse("symlink", path);
    }
}

void Placeholders::let_go(const Held& held) noexcept {
    if (flock(held.lock.get(), LOCK_EX | LOCK_NB) < 0) {
        return;  // somebody else needs it, and removes it
    }
    if (is_placeholder(held.directory.get(), held.name)) {
        unlinkat(held.directory.get(), held.name.c_str(), 0);
    }
    unlink(held.record.c_str());
}

void Placeholders::remove() noexcept {
    for (const Held& held : held_) {
        let_go(held);
    }
    held_.clear();
}

void Placeholders::remove_abandoned() {
    for (const auto& entry : std::filesystem::directory_iterator(registry())) {
        const std::string record = entry.path();
        UniqueFd lock(open(record.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        if (!lock || flock(lock.get(), LOCK_EX | LOCK_NB) < 0) {
            continue;
        }
        const std::string path = content_of(lock);
        if (path.starts_with('/')) {
            auto [above, name] = split(path);
            if (UniqueFd directory = open_straight(above)) {
                let_go({std::move(directory), std::move(name), std::move(lock), record});
                continue;
            }
        }
        unlink(record.c_str());
    }
}

}  // namespace syncspawn::sandbox
