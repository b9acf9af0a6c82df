#include <algorithm>
#include <cerrno>

#include "mounts_older.hpp"
#include "mounts_older_table.hpp"

// mount(2) changes one mount at a time, and sets all flags of it. So those that it has are read and kept: of what a user
// namespace has got from its parent it may take none away.

namespace syncspawn::sandbox::older {
namespace {

constexpr std::size_t most_mounts = 4096;

struct Change {
    MountWork& work;
    int root;  // of the tree of mounts
    unsigned long set;
    unsigned long clear;
    MountTable table{};
    MountLine root_line{};
    int ids[most_mounts]{};  // of the tree
    std::size_t count = 0;

    [[nodiscard]] bool has(int id) const noexcept {
        return std::find(ids, ids + count, id) != ids + count;
    }
    [[nodiscard]] unsigned long wanted(const MountLine& line) const noexcept {
        return (line.flags & ~clear) | set;
    }
};

bool remount(int fd, unsigned long flags) noexcept {
    return calls::mount(nullptr, DescriptorPath(fd).text, nullptr,
                        calls::remount | calls::bind | flags, nullptr);
}

bool find_root(Change& change) noexcept {
    const int id = mount_id(change.root);
    if (id < 0 || !change.table.read()) {
        return false;
    }
    MountLine line;
    for (const char* at = nullptr; change.table.next(at, line);) {
        if (line.id == id) {
            change.root_line = line;
            change.ids[0] = id;
            change.count = 1;
            return true;
        }
    }
    errno = EINVAL;
    return false;
}

// What is mounted on the tree, and on that; parents mostly come first.
bool find_mounts_below(Change& change) noexcept {
    for (std::size_t before = 0; before != change.count;) {
        before = change.count;
        MountLine line;
        for (const char* at = nullptr; change.table.next(at, line);) {
            if (!change.has(line.parent) || change.has(line.id)) {
                continue;
            }
            if (change.count == most_mounts) {
                errno = E2BIG;
                return false;
            }
            change.ids[change.count++] = line.id;
        }
    }
    return true;
}

// Whether the path is covered by another mount of the tree, so that the mount is in nobody's reach. Else its mount
// point has been moved since the table was read.
bool is_covered(Change& change, const MountLine& line, char (&path)[PATH_MAX]) noexcept {
    for (;;) {
        const Opened nearest = open_straight(change.work, change.root, path);
        if (nearest) {
            const int id = mount_id(nearest.get());
            return id != line.id && id != line.parent && change.has(id);
        }
        if (errno == EACCES) {
            return true;  // nor has the program more rights
        }
        char* end = path;
        for (char* letter = path; *letter != '\0'; ++letter) {
            end = *letter == '/' ? letter : end;
        }
        if (errno == ELOOP || end == path) {
            return false;
        }
        *end = '\0';
    }
}

bool change_below(Change& change, const MountLine& line) noexcept {
    char path[PATH_MAX];
    const std::size_t size_of_root =
        change.root_line.path_size == 1 ? 0 : change.root_line.path_size;
    if (!copy_path(line, size_of_root, path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    const Opened mount = open_straight(change.work, change.root, path);
    if (mount && mount_id(mount.get()) == line.id) {
        return remount(mount.get(), change.wanted(line));
    }
    if (is_covered(change, line, path)) {
        return true;
    }
    errno = ESTALE;
    return false;
}

bool change_all_below(Change& change) noexcept {
    MountLine line;
    for (const char* at = nullptr; change.table.next(at, line);) {
        const bool is_below = line.id != change.root_line.id && change.has(line.id);
        if (is_below && change.wanted(line) != line.flags && !change_below(change, line)) {
            return false;
        }
    }
    return true;
}

// Once its root is found.
bool change_whole_tree(Change& change) noexcept {
    constexpr int most_tries = 10;  // somebody may move directories meanwhile
    for (int attempt = 1;; ++attempt) {
        if (find_mounts_below(change) && change_all_below(change)) {
            return true;
        }
        if (errno != ESTALE || attempt == most_tries || !find_root(change)) {
            return false;
        }
    }
}

}  // namespace

bool set_attributes(MountWork& work, int mount, unsigned flags, std::uint64_t set,
                    std::uint64_t clear) noexcept {
    Change change{.work = work, .root = mount, .set = set, .clear = clear};
    if (!find_root(change)) {
        return false;
    }
    if (!remount(mount, change.wanted(change.root_line))) {
        return false;
    }
    return (flags & AT_RECURSIVE) == 0 || change_whole_tree(change);
}

}  // namespace syncspawn::sandbox::older
