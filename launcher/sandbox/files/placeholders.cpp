#include "placeholders.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string_view>
#include <system_error>
#include <utility>

#include "barrier/linux/fresh_descriptor.hpp"
#include "straight.hpp"

namespace syncspawn::sandbox {
namespace {

[[noreturn]] void refuse(const std::string& call, const std::string& path) {
    throw std::system_error(errno, std::generic_category(), call + " '" + path + "'");
}

UniqueFd open_directory_straight(const std::string& path) {
    const UniqueFd opened = open_straight(path, O_DIRECTORY);
    return UniqueFd(opened ? detail::duplicate_from(opened.get(), 10) : -1);
}

// One for each directory and name, whatever path leads there.
std::string record_of(int directory, const std::string& path, const std::string& name) {
    struct stat about {};
    if (fstat(directory, &about) < 0) {
        refuse("stat", path);
    }
    return std::to_string(about.st_dev) + "-" + std::to_string(about.st_ino) + "-" +
           std::to_string(Registry::byte_of(name));
}

bool is_placeholder(int directory, const std::string& name) noexcept {
    char found[PATH_MAX];
    const ssize_t size = readlinkat(directory, name.c_str(), found, sizeof found);
    return size >= 0 &&
           std::string_view(found, static_cast<std::size_t>(size)) == placeholder_target;
}

bool is_of_this_user(int directory, const std::string& name) noexcept {
    struct stat about {};
    return fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 &&
           about.st_uid == geteuid();
}

void remove_link(int directory, const std::string& name, bool is_known) noexcept {
    if (is_placeholder(directory, name) && (is_known || is_of_this_user(directory, name))) {
        unlinkat(directory, name.c_str(), 0);
    }
}

std::pair<std::string, std::string> split(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Registry Placeholders::open_registry() { return Registry::open("placeholders"); }

void Placeholders::place(const std::vector<std::string>& paths) {
    maker_ = getpid();
    registry_ = open_registry();
    for (const std::string& path : paths) {
        auto [above, name] = split(path);
        const std::size_t directory = open_directory(above);
        if (!is_occupied(directory, name)) {
            std::string record = record_of(directories_[directory].fd.get(), above, name);
            const bool is_known = registry_.knows(record);
            registry_.hold(record, path);
            held_.push_back({directory, std::move(name), std::move(record), is_known});
        }
    }
    if (!held_.empty()) {
        start_guardian();
    }
    for (auto held = held_.begin(); held != held_.end();) {
        if (make(*held)) {
            ++held;
        } else {
            let_go(*held);
            held = held_.erase(held);
        }
    }
    if (held_.empty()) {
        remove();
    }
}

// Of several paths in one directory, one descriptor.
std::size_t Placeholders::open_directory(const std::string& path) {
    const auto known =
        std::find_if(directories_.begin(), directories_.end(),
                     [&path](const Directory& directory) { return directory.path == path; });
    if (known != directories_.end()) {
        return static_cast<std::size_t>(known - directories_.begin());
    }
    UniqueFd fd = open_directory_straight(path);
    if (!fd) {
        refuse("open", path);
    }
    directories_.push_back({path, std::move(fd)});
    return directories_.size() - 1;
}

bool Placeholders::is_occupied(std::size_t directory, const std::string& name) const noexcept {
    const int fd = directories_[directory].fd.get();
    struct stat about {};
    return fstatat(fd, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 && !is_placeholder(fd, name);
}

// Before there is a link. Where none can be started, the next launch removes what this one leaves.
void Placeholders::start_guardian() {
    detail::GuardedLinks links{registry_.locks(), registry_.directory(), placeholder_target, {}};
    for (const Held& held : held_) {
        links.links.push_back({directories_[held.directory].fd.get(), held.name,
                               Registry::byte_of(held.record), held.record});
    }
    guardian_ = detail::Guardian::start(links);
}

// False: there need not be one.
bool Placeholders::make(Held& held) const {
    const Directory& directory = directories_[held.directory];
    if (symlinkat(placeholder_target, directory.fd.get(), held.name.c_str()) == 0) {
        held.is_known = true;
        return true;
    }
    const int error = errno;
    if (error == EEXIST) {
        return is_there(held);
    }
    // What this user cannot make, the sandbox cannot, either; but where the directory is its own, it could change
    // the mode.
    struct stat about {};
    const bool is_own = fstat(directory.fd.get(), &about) < 0 || about.st_uid == geteuid();
    if (error != EROFS && (error != EACCES || is_own)) {
        errno = error;
        refuse("symlink", directory.path + "/" + held.name);
    }
    return false;
}

// The link of another user goes when that one's sandbox ends, and nobody here learns when that is.
bool Placeholders::is_there(const Held& held) const {
    const Directory& directory = directories_[held.directory];
    const int fd = directory.fd.get();
    if (!is_placeholder(fd, held.name)) {
        return false;
    }
    if (!held.is_known && !is_of_this_user(fd, held.name)) {
        errno = EBUSY;
        refuse("a sandbox of another user needs, or has left,", directory.path + "/" + held.name);
    }
    return true;
}

void Placeholders::let_go(const Held& held) const noexcept {
    if (registry_.let_go(held.record)) {
        remove_link(directories_[held.directory].fd.get(), held.name, held.is_known);
        registry_.forget(held.record);
    }
}

Placeholders::~Placeholders() { is_needed_by_process_ ? leave_to_guardian() : remove(); }

void Placeholders::watch(int process) noexcept {
    is_needed_by_process_ = true;
    if (process >= 0) {
        guardian_.watch(process);
    }
}

void Placeholders::remove() noexcept {
    if (maker_ != getpid()) {
        leave_to_guardian();
        return;
    }
    guardian_.dismiss();
    for (const Held& held : held_) {
        let_go(held);
    }
    held_.clear();
    directories_.clear();
    registry_ = {};
    is_needed_by_process_ = false;
}

// Where there is none, the locks stay as long as this process.
void Placeholders::leave_to_guardian() noexcept {
    if (!guardian_ && maker_ == getpid()) {
        registry_.keep_locks();
    }
    guardian_.leave();
}

void Placeholders::remove_abandoned() {
    const Registry registry = open_registry();
    for (const std::string& record : registry.records()) {
        if (!registry.let_go(record)) {
            continue;
        }
        const std::string path = registry.text_of(record);
        if (path.starts_with('/')) {
            const auto [above, name] = split(path);
            if (const UniqueFd directory = open_directory_straight(above);
                directory && record_of(directory.get(), above, name) == record) {
                remove_link(directory.get(), name, false);
            }
        }
        registry.forget(record);
    }
}

}  // namespace syncspawn::sandbox
