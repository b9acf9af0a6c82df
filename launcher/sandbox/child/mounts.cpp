#include "mounts.hpp"

#include <cerrno>
#include <utility>

#include "barrier/linux/bounded_text.hpp"
#include "mounts_work.hpp"

namespace syncspawn::sandbox {
namespace {

const char* hint_at(int error, PathLinks links) noexcept {
    switch (error) {
        case ELOOP:
            return links == PathLinks::refused ? " (a symbolic link is on the way)" : "";
        case ENOSYS:
            return " (this kernel, or a filter, has no such call)";
        case EOVERFLOW:
            return " (the child's ids are not mapped: add an id map first)";
        case ENAMETOOLONG:
            return " (a path in it is too long)";
        default:
            return "";
    }
}

// Where the child still shares the parent's mount namespace, all of this would be done to the host.
bool is_in_own_namespace(MountWork& work) noexcept {
    struct statx about {};
    if (!calls::statx(AT_FDCWD, STATX_MNT_ID, about, "/")) {
        return refuse(work, "look at '/'");
    }
    // Before Linux 5.8 mounts have no numbers here.
    struct stat own {};
    const bool is_own = work.plan.parents_root != 0 ? work.plan.parents_root != about.stx_mnt_id
                                                    : stat("/proc/self/ns/mnt", &own) == 0 &&
                                                          work.plan.parents_namespace != own.st_ino;
    return is_own ||
           refuse(work, "the child has no mount namespace of its own (birth.namespaces)", EINVAL);
}

// Private, and no slave: what the host mounts later, below what is bound, would appear inside, writable and with
// devices and set-user-ID bits.
bool leave_the_hosts_peer_groups(MountWork& work) noexcept {
    if (syscall(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
        return true;
    }
    return refuse(work, errno == EINVAL ? "make '/' private: it is no mount point (chroot)"
                        : errno == EPERM
                            ? "make '/' private: it takes CAP_SYS_ADMIN in a mount and, "
                              "for ordinary users, a user namespace"
                            : "make '/' private");
}

bool begin_empty(MountWork& work) noexcept {
    constexpr Setting settings[]{{"mode", "0755"}};
    Opened tree = new_file_system(work, "tmpfs", settings, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return tree && make_own(work, tree.get()) &&
           attach(work, std::move(tree), "/", PlaceKind::directory);
}

bool apply(MountWork& work, const MountAction& action) noexcept {
    using Kind = FileOperation::Kind;
    switch (action.kind) {
        case Kind::bind:
            return bind(work, action);
        case Kind::tmpfs:
            return mount_tmpfs(work, action);
        case Kind::proc:
            return mount_proc(work, action);
        case Kind::devices:
            return mount_devices(work, action);
        case Kind::mqueue:
            return mount_mqueue(work, action);
        case Kind::overlay:
            return mount_overlay(work, action);
        case Kind::directory:
            return make_directory(work, action);
        case Kind::symlink:
            return make_symlink(work, action);
        case Kind::file:
            return make_file(work, action);
        case Kind::data:
            return place_data(work, action);
        case Kind::chmod:
            return change_mode(work, action);
        case Kind::remount_read_only:
            return remount_read_only(work, action);
        case Kind::hide:
            return hide(work, action);
        case Kind::protect:
        case Kind::pin:
            return protect(work, action);
    }
    return refuse(work, "an operation of unknown kind", EINVAL);
}

bool apply_all(MountWork& work) noexcept {
    for (const MountAction& action : work.plan.actions) {
        if (work.keeps_root && &action == work.plan.actions.data()) {
            continue;
        }
        work.label = action.label;
        work.path_links = action.path_links;
        work.store_waits = work.keeps_root && work.plan.needs_store && action.covers_store;
        if (!apply(work, action)) {
            return false;
        }
    }
    return true;
}

// pivot_root(2) puts the old root on top of the new one, together with what is mounted on it: what lies in
// the new root's place is taken away one by one. The root of an initial file system cannot be moved (EINVAL):
// there the new one stays on top of it, and ".." leads to itself from there.
bool enter(MountWork& work) noexcept {
    work.label = "mounts";
    if (work.keeps_root) {
        return true;
    }
    if (syscall(SYS_fchdir, work.root.get()) < 0) {
        return refuse(work, "fchdir to the new root");
    }
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        for (int mount = 0; mount < work.layers; ++mount) {
            if (syscall(SYS_umount2, ".", calls::detach) < 0) {
                return refuse(work, "umount2 the old root");
            }
        }
        return true;
    }
    return (errno == EINVAL && syscall(SYS_chroot, ".") == 0) || refuse(work, "pivot_root");
}

// Empty where it has no path, or one that is too long. "(unreachable)" and so on is none.
bool note_directory(MountWork& work, char (&directory)[PATH_MAX]) noexcept {
    const bool is_known = syscall(SYS_getcwd, directory, sizeof directory) > 0;
    if (!is_known && errno != ENOENT && errno != ERANGE && errno != ENAMETOOLONG) {
        return refuse(work, "getcwd");
    }
    if (!is_known || directory[0] != '/') {
        directory[0] = '\0';
    }
    return true;
}

// The root, where there is no such directory in the new tree, or none that this user may enter.
bool enter_directory(MountWork& work, const char* directory) noexcept {
    if (*directory != '\0') {
        if (chdir(directory) == 0) {
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP) {
            return refuse(work, "chdir to the same directory");
        }
    }
    return chdir("/") == 0 || refuse(work, "chdir to the new root");
}

bool lay_out(MountWork& work) noexcept {
    char directory[PATH_MAX];
    if (!note_directory(work, directory) || !is_in_own_namespace(work) ||
        !leave_the_hosts_peer_groups(work) || !choose_ways(work)) {
        return false;
    }
    work.keeps_root = work.has_newer_calls && may_keep_root(work);
    if (!(work.keeps_root ? keep_root(work) : clone_roots(work)) ||
        (work.plan.needs_store && !make_store(work)) ||
        (work.plan.begins_empty && !begin_empty(work)) || !apply_all(work) || !enter(work)) {
        return false;
    }
    return enter_directory(work, directory);
}

}  // namespace

bool refuse(MountWork& work, const char* call, int error) noexcept {
    char text[120];
    detail::BoundedText(text) << work.label << ": " << call << hint_at(error, work.path_links);
    work.error = work.side.fail(error, text);
    return false;
}

bool refuse(MountWork& work, const char* call) noexcept { return refuse(work, call, errno); }

std::error_code lay_out_mounts(ChildSide& side, const MountPlan& plan) noexcept {
    MountWork work{.side = side, .plan = plan};
    work.umask = static_cast<mode_t>(syscall(SYS_umask, 0));
    const bool is_laid_out = lay_out(work);
    syscall(SYS_umask, work.umask);
    return is_laid_out ? side.done() : work.error;
}

}  // namespace syncspawn::sandbox
