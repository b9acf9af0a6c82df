#pragma once

#include <climits>
#include <cstddef>

#include "barrier/linux/bounded_text.hpp"
#include "mounts.hpp"
#include "mounts_calls.hpp"
#include "mounts_opened.hpp"

// What one child knows while it lays out its tree. On its stack: the plan is every launch's.

namespace syncspawn::sandbox {

struct Device {
    unsigned major = 0;
    unsigned minor = 0;
};

struct MountWork {
    ChildSide& side;
    const MountPlan& plan;
    Closing closing{};  // outlives all that leave descriptors to it
    std::error_code error{};
    const char* label = "mounts";  // the operation at hand
    PathLinks path_links{};        // on the way to its destination

    Opened root{};   // of the new tree: its uppermost mount
    int layers = 0;  // mounts on top of the host's root
    Opened store{};  // a file system of covers and contents, which nobody else sees
    Opened room{};   // the directory in it that can be written
    Opened clones_of_root[most_clones_of_root]{};
    bool keeps_root = false;
    bool store_waits = false;  // for the next place that is found
    Opened early_clones[most_early_clones]{};
    bool has_newer_calls = true;  // open_tree, move_mount, mount_setattr, fsopen; else mount(2)
    bool has_openat2 = true;
    Opened stage{};  // for mount(2): where trees are made
    int staged = 0;
    mode_t umask = 0;
    Device own[most_own_file_systems]{};
    std::size_t own_count = 0;
};

// All that can fail answers false, or an empty descriptor, once this has said why.
bool refuse(MountWork& work, const char* call, int error) noexcept;
bool refuse(MountWork& work, const char* call) noexcept;  // with errno

// mounts_ways.cpp: by newer calls, or by those that every kernel has. Each answers false, or an empty descriptor, with
// errno, and says nothing.
bool choose_ways(MountWork& work) noexcept;  // but this one
// What errors call it.
const char* name_of(const MountWork& work, const char* newer_call) noexcept;
// As openat2(2), open_tree(OPEN_TREE_CLONE), move_mount(2), mount_setattr(2).
Opened open_by(MountWork& work, int directory, const char* path, std::uint64_t flags,
               std::uint64_t resolve) noexcept;
Opened clone_tree(MountWork& work, int directory, const char* path, unsigned flags = 0) noexcept;
bool move_tree(MountWork& work, int tree, int directory, const char* path) noexcept;
bool set_attributes(MountWork& work, int mount, unsigned flags, std::uint64_t set,
                    std::uint64_t clear = 0) noexcept;
// A file system that is being made, by fsopen(2) or by a text for mount(2).
class NewFileSystem {
public:
    NewFileSystem(MountWork& work, const char* type) noexcept;
    explicit operator bool() const noexcept { return !work_.has_newer_calls || context_; }
    bool set(const char* key, const char* value) noexcept;
    bool set_flag(const char* key) noexcept;
    bool set_descriptor(const char* key, int fd) noexcept;
    bool create() noexcept;
    Opened mount(std::uint64_t attributes) noexcept;

private:
    detail::BoundedText& add(const char* key) noexcept;

    MountWork& work_;
    const char* type_;
    Opened context_{};
    char text_[2048] = {};
    detail::BoundedText settings_{text_};
};

// mounts_place.cpp: where in the new tree
enum class PlaceKind { directory, file };
// A missing one is made.
Opened find_or_make(MountWork& work, const char* path, PlaceKind kind) noexcept;
// Empty, with errno, if there is none.
Opened find(MountWork& work, const char* path, LastLink link = LastLink::followed) noexcept;
// The same, but where this user may not get to it, the directory that is closed to it.
Opened find_or_what_closes_it(MountWork& work, const char* path) noexcept;
// The directory in which the last name of the path is to be made; those above are made, if need be.
Opened directory_above(MountWork& work, const char* path) noexcept;
const char* last_name(const char* path) noexcept;
bool may_make_in(MountWork& work, int directory) noexcept;
bool is_own(MountWork& work, const struct statx& about) noexcept;
// Puts a tree there, and on "/" begins a new root.
bool attach(MountWork& work, Opened tree, const char* path, PlaceKind kind) noexcept;
bool attach_here(MountWork& work, int tree, int place, const char* name = "") noexcept;

constexpr unsigned what_it_is = STATX_TYPE | STATX_INO | STATX_BTIME;
bool is_same(const FileIdentity& expected, const struct statx& about) noexcept;

// mounts_trees.cpp: what is there already, at another place
Opened open_source(MountWork& work, const MountSource& source, std::uint64_t flags) noexcept;
Opened clone_source(MountWork& work, const MountSource& source) noexcept;
// Of a directory that is root's alone.
Opened clone_device(MountWork& work, const MountSource& source) noexcept;
bool clone_roots(MountWork& work) noexcept;
bool bind(MountWork& work, const MountAction& action) noexcept;
bool remount_read_only(MountWork& work, const MountAction& action) noexcept;
bool hide(MountWork& work, const MountAction& action) noexcept;
bool protect(MountWork& work, const MountAction& action) noexcept;

// mounts_kept_root.cpp
bool may_keep_root(const MountWork& work) noexcept;
bool keep_root(MountWork& work) noexcept;

// mounts_store.cpp: covers and contents
bool make_store(MountWork& work) noexcept;
bool cover(MountWork& work, int place, PlaceKind kind, const char* name = "") noexcept;
bool place_data(MountWork& work, const MountAction& action) noexcept;

// mounts_file_systems.cpp
Opened create_and_mount(MountWork& work, NewFileSystem& made, std::uint64_t attributes,
                        const char* denied = "") noexcept;  // what EPERM means
struct Setting {
    const char* key;
    const char* value;  // null: leave it
};
Opened new_file_system(MountWork& work, const char* type, std::span<const Setting> settings,
                       std::uint64_t attributes) noexcept;
bool make_own(MountWork& work, int mount) noexcept;
bool mount_tmpfs(MountWork& work, const MountAction& action) noexcept;
bool mount_mqueue(MountWork& work, const MountAction& action) noexcept;

// mounts_proc.cpp, mounts_devices.cpp
bool mount_proc(MountWork& work, const MountAction& action) noexcept;
bool mount_devices(MountWork& work, const MountAction& action) noexcept;

// mounts_overlay.cpp
bool mount_overlay(MountWork& work, const MountAction& action) noexcept;

// mounts_files.cpp
bool write_new_file(MountWork& work, int directory, const char* name, const MountAction& action,
                    mode_t mode) noexcept;
bool make_directory(MountWork& work, const MountAction& action) noexcept;
bool make_symlink(MountWork& work, const MountAction& action) noexcept;
bool make_file(MountWork& work, const MountAction& action) noexcept;
bool change_mode(MountWork& work, const MountAction& action) noexcept;

}  // namespace syncspawn::sandbox
