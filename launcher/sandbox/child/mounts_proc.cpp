#include <cerrno>

#include "mounts_work.hpp"

namespace syncspawn::sandbox {
namespace {

Opened existing_proc(MountWork& work, const MountAction& action) noexcept {
    Opened tree = clone_tree(work, AT_FDCWD, "/proc", AT_RECURSIVE);
    if (!tree ||
        !set_attributes(work, tree.get(), AT_RECURSIVE, action.attributes | MOUNT_ATTR_RDONLY)) {
        refuse(work, "bind the existing /proc");
        return {};
    }
    return tree;
}

// Empty without a reason where the kernel refuses it and the plan knows what then.
Opened new_proc(MountWork& work, const MountAction& action) noexcept {
    NewFileSystem made(work, "proc");
    if (!made) {
        refuse(work, "fsopen");
        return {};
    }
    // Read-only at first, so that what is cloned from it is, too.
    const std::uint64_t attributes =
        action.attributes | (action.read_only.empty() ? 0 : MOUNT_ATTR_RDONLY);
    Opened mount;
    if (made.create()) {
        mount = made.mount(attributes);
    }
    const bool has_other_way = errno == EPERM && action.refused_proc == RefusedProc::bind_existing;
    if (!mount && !has_other_way) {
        char text[100];
        detail::BoundedText(text) << name_of(work, "fsmount")
                                  << (errno == EPERM
                                          ? ": a new one takes an own pid namespace, and "
                                            "an old one without covers"
                                          : "");
        refuse(work, text);
    }
    return mount;
}

bool make_read_only(MountWork& work, int proc, std::span<const KernelFile> files) noexcept {
    for (const KernelFile& file : files) {
        const Opened tree = clone_tree(work, proc, file.name);
        if (!tree || !move_tree(work, tree.get(), proc, file.name)) {
            return refuse(work, file.name);
        }
    }
    // The kernel may insist, where the host's is locked read-only: stricter, and no fault.
    return set_attributes(work, proc, 0, 0, MOUNT_ATTR_RDONLY) || errno == EPERM ||
           refuse(work, "mount_setattr");
}

bool cover_all(MountWork& work, int proc, std::span<const KernelFile> files) noexcept {
    for (const KernelFile& file : files) {
        if (!cover(work, proc, file.is_directory ? PlaceKind::directory : PlaceKind::file,
                   file.name)) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool mount_proc(MountWork& work, const MountAction& action) noexcept {
    Opened proc = new_proc(work, action);
    const bool is_new = static_cast<bool>(proc);
    if (!is_new && !work.error) {
        proc = existing_proc(work, action);
    }
    if (!proc) {
        return false;
    }
    const Opened place = find_or_make(work, action.destination, PlaceKind::directory);
    return place && attach_here(work, proc.get(), place.get()) &&
           (!is_new || action.read_only.empty() ||
            make_read_only(work, proc.get(), action.read_only)) &&
           cover_all(work, proc.get(), action.covered);
}

}  // namespace syncspawn::sandbox
