#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "mounts_work.hpp"

// Every path is walked by openat2(2) from the new root: neither ".." nor a symbolic link leads out of it.

namespace syncspawn::sandbox {
namespace {

constexpr std::uint64_t inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t straight = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

// A rename somewhere on the way makes the kernel unsure about "..", so it asks to try again.
Opened walk(MountWork& work, const char* path, std::uint64_t flags) noexcept {
    constexpr int most_tries = 100;
    const std::uint64_t how =
        work.path_links == PathLinks::refused ? inside | RESOLVE_NO_SYMLINKS : inside;
    for (int attempt = 1;; ++attempt) {
        Opened fd = open_by(work, work.root.get(), path, O_PATH | flags, how);
        if (fd || errno != EAGAIN || attempt == most_tries) {
            return fd;
        }
    }
}

// The path in pieces: each '/' that was passed is a NUL.
struct Pieces {
    char text[PATH_MAX];
    std::size_t size = 0;  // of the whole
    std::size_t end = 0;   // of what exists
};

void take(Pieces& pieces, const char* path) noexcept {
    pieces.size = std::strlen(path);
    std::memcpy(pieces.text, path, pieces.size + 1);
    pieces.end = pieces.size;
}

// The longest part above the last name that can be opened; those below it cannot, by this error.
Opened nearest(MountWork& work, Pieces& path, int error) noexcept {
    for (;;) {
        while (path.text[path.end] != '/') {
            --path.end;
        }
        path.text[path.end] = '\0';
        Opened directory = walk(work, path.end == 0 ? "/" : path.text, O_DIRECTORY);
        if (directory || errno != error || path.end == 0) {
            return directory;
        }
    }
}

Opened make_and_enter(MountWork& work, int directory, const char* name) noexcept {
    constexpr mode_t mode = 0755;
    if (!may_make_in(work, directory)) {
        return {};
    }
    if (syscall(SYS_mkdirat, directory, name, mode) < 0 && errno != EEXIST) {
        refuse(work, "make a directory above it");
        return {};
    }
    Opened made = open_by(work, directory, name, O_PATH | O_DIRECTORY, straight);
    if (!made) {
        refuse(work, errno == ELOOP ? "a symbolic link on the way leads nowhere"
                                    : "open a directory above it");
    }
    return made;
}

bool make(MountWork& work, const char* path, PlaceKind kind) noexcept {
    const Opened directory = directory_above(work, path);
    if (!directory || !may_make_in(work, directory.get())) {
        return false;
    }
    constexpr mode_t of_directories = 0755;
    constexpr mode_t of_files = 0444;
    const long made =
        kind == PlaceKind::directory
            ? syscall(SYS_mkdirat, directory.get(), last_name(path), of_directories)
            : syscall(SYS_mknodat, directory.get(), last_name(path), S_IFREG | of_files, 0);
    return made == 0 || refuse(work, errno == EEXIST ? "a symbolic link there leads nowhere"
                                                     : "make the mount point");
}

}  // namespace

const char* last_name(const char* path) noexcept {
    const char* name = path;
    for (const char* at = path; *at != '\0'; ++at) {
        name = *at == '/' ? at + 1 : name;
    }
    return name;
}

Opened find(MountWork& work, const char* path, LastLink link) noexcept {
    return walk(work, path, link == LastLink::itself ? O_NOFOLLOW : 0);
}

Opened find_or_what_closes_it(MountWork& work, const char* path) noexcept {
    Opened place = find(work, path);
    if (place || errno != EACCES) {
        return place;
    }
    Pieces pieces;
    take(pieces, path);
    place = nearest(work, pieces, EACCES);
    if (pieces.end == 0) {  // never all of it
        errno = EACCES;
        return {};
    }
    return place;
}

Opened directory_above(MountWork& work, const char* path) noexcept {
    Pieces pieces;
    take(pieces, path);
    Opened directory = nearest(work, pieces, ENOENT);
    if (!directory) {
        refuse(work, errno == ENOTDIR ? "something above it is no directory" : "openat2");
        return {};
    }
    for (;;) {
        const char* const name = pieces.text + pieces.end + 1;
        pieces.end += 1 + std::strlen(name);
        if (pieces.end == pieces.size) {
            return directory;
        }
        directory = make_and_enter(work, directory.get(), name);
        if (!directory) {
            return {};
        }
    }
}

bool is_own(MountWork& work, const struct statx& about) noexcept {
    return std::any_of(work.own, work.own + work.own_count, [&about](const Device& device) {
        return device.major == about.stx_dev_major && device.minor == about.stx_dev_minor;
    });
}

bool may_make_in(MountWork& work, int directory) noexcept {
    if (work.plan.may_change_host) {
        return true;
    }
    struct statx about {};
    if (!calls::statx(directory, STATX_INO, about)) {
        return refuse(work, "statx");
    }
    return is_own(work, about) ||
           refuse(work, "it is not there, and would have to be made in a tree of the host", ENOENT);
}

Opened find_or_make(MountWork& work, const char* path, PlaceKind kind) noexcept {
    Opened place = find(work, path);
    if (!place && errno == ENOENT) {
        if (!make(work, path, kind)) {
            return {};
        }
        place = find(work, path);
    }
    if (!place) {
        refuse(work, "openat2");
        return {};
    }
    if (std::exchange(work.store_waits, false) &&
        !attach_here(work, work.store.get(), place.get())) {
        return {};
    }
    return place;
}

bool attach_here(MountWork& work, int tree, int place, const char* name) noexcept {
    if (move_tree(work, tree, place, name)) {
        return true;
    }
    // Which is ENOTDIR or EINVAL, by the kernel's version, and the latter means much else.
    const int error = errno;
    struct statx above {};
    struct statx below {};
    const bool are_unlike = calls::statx(tree, STATX_TYPE, above) &&
                            calls::statx(place, STATX_TYPE, below, name) &&
                            S_ISDIR(above.stx_mode) != S_ISDIR(below.stx_mode);
    char text[60];
    detail::BoundedText(text) << name_of(work, "move_mount")
                              << (are_unlike ? ": one is a directory, the other is not" : "");
    return refuse(work, text, error);
}

bool attach(MountWork& work, Opened tree, const char* path, PlaceKind kind) noexcept {
    if (path[1] == '\0') {
        // On top of all that is there. The host's root, where this process still is, lies below, so the
        // host's paths remain what they are.
        if (!move_tree(work, tree.get(), AT_FDCWD, "/")) {
            return refuse(work, name_of(work, "move_mount"));
        }
        ++work.layers;
        work.root = std::move(tree);
        return true;
    }
    const Opened place = find_or_make(work, path, kind);
    return place && attach_here(work, tree.get(), place.get());
}

}  // namespace syncspawn::sandbox
