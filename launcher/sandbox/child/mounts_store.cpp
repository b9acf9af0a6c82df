#include <cerrno>

#include "barrier/linux/bounded_text.hpp"
#include "mounts_work.hpp"

// A small file system on which the new root is put: the place of things that are mounted elsewhere and have
// no other. It is out of everybody's sight once the new root is entered.

namespace syncspawn::sandbox {
namespace {

constexpr const char* empty_directory = "directory";
constexpr const char* empty_file = "file";

struct DataName {
    explicit DataName(int number) noexcept { detail::BoundedText(text) << number; }
    char text[16];
};

// The store is read-only, but for a second mount of this directory on itself.
constexpr const char* writable_directory = "room";

bool open_room(MountWork& work) noexcept {
    work.room = clone_tree(work, work.store.get(), writable_directory);
    return (work.room && set_attributes(work, work.room.get(), 0, 0, MOUNT_ATTR_RDONLY) &&
            move_tree(work, work.room.get(), work.store.get(), writable_directory)) ||
           refuse(work, "make room for writes");
}

bool fill(MountWork& work) noexcept {
    const int store = work.store.get();
    constexpr mode_t mode = 0700;
    if (syscall(SYS_mkdirat, store, empty_directory, 0) < 0 ||
        (work.plan.needs_room && syscall(SYS_mkdirat, store, writable_directory, mode) < 0) ||
        syscall(SYS_mknodat, store, empty_file, S_IFREG, 0) < 0) {
        return refuse(work, "make the covers");
    }
    for (const MountAction& action : work.plan.actions) {
        if (action.kind == FileOperation::Kind::data) {
            work.label = action.label;
            if (!write_new_file(work, store, DataName(action.number).text, action, action.mode)) {
                return false;
            }
        }
    }
    work.label = "mounts";
    work.closing.flush();  // what is open for writing cannot become read-only
    return true;
}

Opened clone_stored(MountWork& work, const char* name) noexcept {
    Opened tree = clone_tree(work, work.store.get(), name);
    if (!tree) {
        refuse(work, name_of(work, "open_tree"));
    }
    return tree;
}

}  // namespace

bool make_store(MountWork& work) noexcept {
    constexpr Setting settings[]{{"mode", "0700"}};
    constexpr std::uint64_t shut =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    work.store = new_file_system(work, "tmpfs", settings, 0);
    if (!work.store || !fill(work)) {
        return false;
    }
    if (!set_attributes(work, work.store.get(), 0, shut) ||
        (!work.keeps_root && !move_tree(work, work.store.get(), AT_FDCWD, "/"))) {
        return refuse(work, "place the covers");
    }
    ++work.layers;
    return !work.plan.needs_room || open_room(work);
}

bool cover(MountWork& work, int place, PlaceKind kind, const char* name) noexcept {
    const Opened tree =
        clone_stored(work, kind == PlaceKind::directory ? empty_directory : empty_file);
    return tree && attach_here(work, tree.get(), place, name);
}

bool place_data(MountWork& work, const MountAction& action) noexcept {
    Opened tree = clone_stored(work, DataName(action.number).text);
    if (!tree) {
        return false;
    }
    constexpr std::uint64_t all = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;
    return set_attributes(work, tree.get(), 0, action.attributes, all)
               ? attach(work, std::move(tree), action.destination, PlaceKind::file)
               : refuse(work, name_of(work, "mount_setattr"));
}

}  // namespace syncspawn::sandbox
