#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include <syncspawn/launcher/step.hpp>
#include <syncspawn/sandbox/mounts.hpp>

// The child's part of mounts(): a plan of plain pointers, complete before there is a child.

namespace syncspawn::sandbox {

// Which file it is, whatever its name. The time of birth tells a new file from an old one whose number it has
// got; 0 where the file system does not know it.
struct FileIdentity {
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t number = 0;
    std::int64_t born_seconds = 0;
    std::uint32_t born_nanoseconds = 0;
    std::uint32_t type = 0;  // S_IFDIR ...

    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct MountSource {
    const char* path = nullptr;  // without symbolic links
    FileIdentity identity{};  // without a number for a namespace of the child, which it alone knows

    [[nodiscard]] bool is_childs_own() const noexcept { return identity.number == 0; }
};

struct DeviceNode {
    MountSource source{};
    const char* name = nullptr;  // in the new /dev
};

struct KernelFile {
    const char* name = nullptr;  // in /proc
    bool is_directory = false;
};

struct MountAction {
    FileOperation::Kind kind{};
    const char* label = nullptr;  // what errors call it
    const char* destination = nullptr;
    MountSource source{};
    std::uint64_t attributes = 0;  // MOUNT_ATTR_...
    mode_t mode = 0;
    const char* mode_text = nullptr;
    const char* size_text = nullptr;  // null: none
    const char* text = nullptr;       // content, or what a symbolic link says
    std::size_t text_size = 0;
    int number = -1;  // of a bind of "/": its clone; of data: its file in the store
    RefusedProc refused_proc{};
    LastLink last_link{};
    PathLinks path_links{};
    MissingSource missing{};
    std::span<const KernelFile> read_only{};  // those that this kernel has
    std::span<const KernelFile> covered{};
    std::span<const DeviceNode> devices{};
    std::span<const MountSource> layers{};  // the uppermost first
    const MountSource* upper = nullptr;     // null: none
    const MountSource* work = nullptr;
    bool keeps_writes_in_memory = false;
    // Where the root is kept: the first of its clones that are made before anything changes, and whether the store
    // lies below it.
    int early = -1;
    bool covers_store = false;
};

// Clones of "/" are made before anything is mounted on it: else they would contain that.
constexpr int most_clones_of_root = 8;
// Few, for the program's limit may be low (RLIMIT_NOFILE).
constexpr int most_early_clones = 32;
// File systems of the sandbox's own.
constexpr int most_own_file_systems = 1000;
// Of an overlay (fs/overlayfs: OVL_MAX_STACK).
constexpr std::size_t most_layers = 500;

struct MountPlan {
    std::span<const MountAction> actions{};
    bool begins_empty = true;  // with a tmpfs, which the first action does not cover at once
    bool needs_store = false;  // for covers and data
    bool needs_room = false;   // in the store, for writes to overlays
    bool may_change_host = false;
    int clones_of_root = 0;
    std::uint64_t parents_root = 0;       // the id of the parent's root mount; 0: unknown
    std::uint64_t parents_namespace = 0;  // the number of its mount namespace
    bool may_be_filtered = true;          // a seccomp filter may refuse some of the newer calls
    bool may_keep_root = false;  // it is that of the mount namespace, and the first action's source
};

std::error_code lay_out_mounts(ChildSide& side, const MountPlan& plan) noexcept;

}  // namespace syncspawn::sandbox
