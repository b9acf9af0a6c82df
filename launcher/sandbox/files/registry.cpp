#include "registry.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <filesystem>
#include <system_error>
#include <thread>

#include "barrier/linux/fresh_descriptor.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr const char* file_of_locks = "locks";
constexpr std::chrono::seconds patience{10};

[[noreturn]] void refuse(const std::string& what, const std::string& path, int error = errno) {
    throw std::system_error(error, std::generic_category(), what + " '" + path + "'");
}

// Its errno, 0 if it is there and nobody else may write to it.
int make_directory(const std::string& path) {
    constexpr mode_t own = 0700;
    constexpr mode_t others = 022;
    struct stat about {};
    if ((mkdir(path.c_str(), own) < 0 && errno != EEXIST) || lstat(path.c_str(), &about) < 0) {
        return errno;
    }
    const bool is_own =
        S_ISDIR(about.st_mode) && about.st_uid == geteuid() && (about.st_mode & others) == 0;
    return is_own ? 0 : EPERM;
}

// The same one for all processes of this user, whatever their environment says: else one of them would take away
// what another one needs.
std::string runtime_directory() {
    const std::string user = std::to_string(geteuid());
    std::string usual = geteuid() == 0 ? "/run/syncspawn" : "/run/user/" + user + "/syncspawn";
    if (make_directory(usual) == 0) {
        return usual;
    }
    std::string last = "/tmp/syncspawn-" + user;
    if (const int error = make_directory(last); error != 0) {
        refuse("no directory for what sandboxes leave: neither '" + usual + "' nor", last, error);
    }
    return last;
}

UniqueFd opened(int directory, const char* path, int flags) {
    constexpr mode_t own = 0600;
    const UniqueFd first(openat(directory, path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, own));
    UniqueFd moved(first ? detail::duplicate_from(first.get(), 10) : -1);
    if (!moved) {
        refuse("open", path);
    }
    return moved;
}

}  // namespace

Registry Registry::open(const std::string& name) {
    Registry registry;
    registry.path_ = runtime_directory() + "/" + name;
    if (const int error = make_directory(registry.path_); error != 0) {
        refuse("mkdir", registry.path_, error);
    }
    registry.directory_ = opened(AT_FDCWD, registry.path_.c_str(), O_PATH | O_DIRECTORY);
    registry.locks_ = opened(registry.directory(), file_of_locks, O_RDWR | O_CREAT);
    return registry;
}

// FNV-1a: the same for every build of this library.
std::int64_t Registry::byte_of(const std::string& record) noexcept {
    constexpr std::uint64_t prime = 0x100000001b3;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char letter : record) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * prime;
    }
    return static_cast<std::int64_t>(hash >> 2);
}

bool Registry::lock(short type, const std::string& record) const noexcept {
    struct flock wanted {};
    wanted.l_type = type;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = byte_of(record);
    wanted.l_len = 1;
    return fcntl(locks(), F_OFD_SETLK, &wanted) == 0;
}

bool Registry::knows(const std::string& record) const noexcept {
    return faccessat(directory(), record.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void Registry::hold(const std::string& record, const std::string& text) const {
    using Clock = std::chrono::steady_clock;
    for (const auto end = Clock::now() + patience; !lock(F_RDLCK, record);) {
        if (errno != EAGAIN && errno != EACCES) {
            refuse("lock", path_ + "/" + record);
        }
        if (Clock::now() >= end) {
            refuse("a process that does not go on holds", path_ + "/" + record, ETIMEDOUT);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    // With its NUL: another text that ends behind it may have been there.
    const UniqueFd file = opened(directory(), record.c_str(), O_WRONLY | O_CREAT);
    const std::size_t size = text.size() + 1;
    if (write(file.get(), text.c_str(), size) != static_cast<ssize_t>(size)) {
        refuse("write", path_ + "/" + record);
    }
}

// Not from shared to exclusive: two who let go at the same time would see each other, and leave it.
bool Registry::let_go(const std::string& record) const noexcept {
    return lock(F_UNLCK, record) && lock(F_WRLCK, record);
}

void Registry::forget(const std::string& record) const noexcept {
    unlinkat(directory(), record.c_str(), 0);
    (void)lock(F_UNLCK, record);
}

std::vector<std::string> Registry::records() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
        if (std::string name = entry.path().filename(); name != file_of_locks) {
            all.push_back(std::move(name));
        }
    }
    return all;
}

std::string Registry::text_of(const std::string& record) const {
    char text[PATH_MAX + 1] = {};
    // Nor does it wait for the other end of a pipe that has such a name.
    const UniqueFd file(
        openat(directory(), record.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    return read(file.get(), text, PATH_MAX) > 0 ? text : "";
}

}  // namespace syncspawn::sandbox
