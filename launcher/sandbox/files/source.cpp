#include "source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>

#include "straight.hpp"

namespace syncspawn::sandbox {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& path, int error = errno) {
    throw std::system_error(error, std::generic_category(), what + ": '" + path + "'");
}

std::string without_links(const std::string& path, const std::string& what) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr),
                                                               &std::free);
    if (!resolved) {
        refuse(what, path);
    }
    return resolved.get();
}

// What is there for the child, once it is in its namespaces.
bool is_namespace_of_child(const std::string& path) { return path.starts_with("/proc/self/ns/"); }

FileIdentity identity_from(const struct statx& about) {
    const bool has_birth = (about.stx_mask & STATX_BTIME) != 0;
    return {.device_major = about.stx_dev_major,
            .device_minor = about.stx_dev_minor,
            .number = about.stx_ino,
            .born_seconds = has_birth ? about.stx_btime.tv_sec : 0,
            .born_nanoseconds = has_birth ? about.stx_btime.tv_nsec : 0,
            .type = about.stx_mode & std::uint32_t{S_IFMT}};
}

FileIdentity identity_of(int at, const std::string& path, int flags, const std::string& what) {
    struct statx about {};
    if (statx(at, path.c_str(), flags, STATX_TYPE | STATX_INO | STATX_BTIME, &about) < 0) {
        refuse(what, path);
    }
    return identity_from(about);
}

LookedUp look_up_straight(const std::string& path, const std::string& what) {
    const UniqueFd file = open_straight(path);
    if (!file) {
        const int error = errno;
        const char* const why = error == ELOOP ? ": a symbolic link is on the way" : "";
        refuse(what + why, path, error);
    }
    return {path, identity_of(file.get(), "", AT_EMPTY_PATH, what)};
}

}  // namespace

LookedUp look_up(const std::string& path, const std::string& what, PathLinks links) {
    if (links == PathLinks::refused) {
        return look_up_straight(path, what);
    }
    if (is_namespace_of_child(path)) {
        return {path, {.type = identity_of(AT_FDCWD, path, 0, what).type}};
    }
    std::string resolved = without_links(path, what);
    const FileIdentity identity = identity_of(AT_FDCWD, resolved, AT_SYMLINK_NOFOLLOW, what);
    return {std::move(resolved), identity};
}

LookedUp look_up(int descriptor, const std::string& what) {
    const FileIdentity identity = identity_of(descriptor, "", AT_EMPTY_PATH, what);
    char path[PATH_MAX];
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t size = readlink(link.c_str(), path, sizeof path);
    if (size < 0) {
        refuse(what, link);
    }
    LookedUp found{std::string(path, static_cast<std::size_t>(size)), identity};
    if (found.path.front() != '/' ||
        identity_of(AT_FDCWD, found.path, AT_SYMLINK_NOFOLLOW, what) != identity) {
        throw std::invalid_argument(what + ": no path leads to what the descriptor has open");
    }
    return found;
}

bool is_missing(const std::string& path) {
    if (is_namespace_of_child(path)) {
        return access(path.c_str(), F_OK) < 0;
    }
    // Not access(2), which also finds what no path leads to: a namespace behind its link in /proc, a deleted file.
    const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr),
                                                               &std::free);
    return !resolved && (errno == ENOENT || errno == ENOTDIR);
}

std::uint64_t root_mount_id() {
    struct statx about {};
    if (statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &about) < 0 || (about.stx_mask & STATX_MNT_ID) == 0) {
        return 0;
    }
    return about.stx_mnt_id;
}

std::uint64_t mount_namespace() {
    struct stat about {};
    return stat("/proc/self/ns/mnt", &about) == 0 ? about.st_ino : 0;
}

}  // namespace syncspawn::sandbox
