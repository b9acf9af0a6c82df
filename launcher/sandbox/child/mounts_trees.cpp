#include <cerrno>
#include <utility>

#include "mounts_work.hpp"

namespace syncspawn::sandbox {
namespace {

constexpr unsigned of_descriptor = AT_RECURSIVE | AT_EMPTY_PATH;

bool is_directory(const MountSource& source) noexcept { return source.identity.type == S_IFDIR; }

}  // namespace

bool is_same(const FileIdentity& expected, const struct statx& about) noexcept {
    const bool has_birth = (about.stx_mask & STATX_BTIME) != 0;
    const FileIdentity found{.device_major = about.stx_dev_major,
                             .device_minor = about.stx_dev_minor,
                             .number = about.stx_ino,
                             .born_seconds = has_birth ? about.stx_btime.tv_sec : 0,
                             .born_nanoseconds = has_birth ? about.stx_btime.tv_nsec : 0,
                             .type = about.stx_mode & std::uint32_t{S_IFMT}};
    return found == expected;
}

Opened open_source(MountWork& work, const MountSource& source, std::uint64_t flags) noexcept {
    if (source.is_childs_own()) {
        Opened own = open_by(work, AT_FDCWD, source.path, flags, 0);
        if (!own) {
            refuse(work, "open the source");
        }
        return own;
    }
    Opened file = open_by(work, AT_FDCWD, source.path, flags | O_NOFOLLOW,
                          RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    struct statx about {};
    if (!file && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
        refuse(work, "open the source");
        return {};
    }
    if (file && !calls::statx(file.get(), what_it_is, about)) {
        refuse(work, "statx of the source");
        return {};
    }
    if (!file || !is_same(source.identity, about)) {
        refuse(work, "the source has changed", ESTALE);
        return {};
    }
    return file;
}

Opened clone_source(MountWork& work, const MountSource& source) noexcept {
    const Opened file = open_source(work, source, O_PATH);
    if (!file) {
        return {};
    }
    Opened tree = clone_tree(work, file.get(), "", of_descriptor);
    if (!tree) {
        refuse(work, name_of(work, "open_tree"));
    }
    return tree;
}

Opened clone_device(MountWork& work, const MountSource& source) noexcept {
    Opened tree = clone_tree(work, AT_FDCWD, source.path);
    struct statx about {};
    if (!tree) {
        refuse(work, source.path);
        return {};
    }
    if (!calls::statx(tree.get(), what_it_is, about)) {
        refuse(work, "statx of a device");
        return {};
    }
    if (!is_same(source.identity, about)) {
        refuse(work, "a device has changed", ESTALE);
        return {};
    }
    return tree;
}

bool clone_roots(MountWork& work) noexcept {
    for (int number = 0; number < work.plan.clones_of_root; ++number) {
        Opened& tree = work.clones_of_root[number];
        tree = clone_tree(work, AT_FDCWD, "/", AT_RECURSIVE);
        if (!tree) {
            return refuse(work, name_of(work, "open_tree"));
        }
    }
    return true;
}

bool bind(MountWork& work, const MountAction& action) noexcept {
    Opened tree = action.number >= 0 ? std::move(work.clones_of_root[action.number])
                  : work.keeps_root && action.early >= 0
                      ? std::move(work.early_clones[action.early])
                      : clone_source(work, action.source);
    if (!tree) {
        return false;
    }
    if (!set_attributes(work, tree.get(), AT_RECURSIVE, action.attributes)) {
        return refuse(work, name_of(work, "mount_setattr"));
    }
    return attach(work, std::move(tree), action.destination,
                  is_directory(action.source) ? PlaceKind::directory : PlaceKind::file);
}

bool remount_read_only(MountWork& work, const MountAction& action) noexcept {
    const Opened place = find(work, action.destination);
    if (!place) {
        return refuse(work, "openat2");
    }
    return set_attributes(work, place.get(), 0, MOUNT_ATTR_RDONLY) ||
           refuse(work, errno == EINVAL ? "it is no mount point" : name_of(work, "mount_setattr"));
}

// What the program may not get to anyway is hidden with the directory that is closed to it, whose mode may change.
bool hide(MountWork& work, const MountAction& action) noexcept {
    const Opened place = find_or_what_closes_it(work, action.destination);
    if (!place) {
        return errno == ENOENT || errno == ENOTDIR || refuse(work, "openat2");
    }
    struct statx about {};
    if (!calls::statx(place.get(), STATX_TYPE, about)) {
        return refuse(work, "statx");
    }
    return cover(work, place.get(),
                 S_ISDIR(about.stx_mode) ? PlaceKind::directory : PlaceKind::file);
}

// A mount on itself: the kernel neither removes nor renames a mount point (EBUSY).
bool protect(MountWork& work, const MountAction& action) noexcept {
    const Opened place = find(work, action.destination, action.last_link);
    if (!place) {
        const bool may_be_missing = errno == ENOENT && action.missing == MissingSource::skip;
        return may_be_missing || refuse(work, "openat2");
    }
    const Opened tree = clone_tree(work, place.get(), "", of_descriptor);
    if (!tree) {
        return refuse(work, name_of(work, "open_tree"));
    }
    return set_attributes(work, tree.get(), AT_RECURSIVE, action.attributes)
               ? attach_here(work, tree.get(), place.get())
               : refuse(work, name_of(work, "mount_setattr"));
}

}  // namespace syncspawn::sandbox
