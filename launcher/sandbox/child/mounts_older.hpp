#pragma once

#include "barrier/linux/bounded_text.hpp"
#include "mounts_work.hpp"

// The same as the newer calls do, by those that every kernel has: mount(2) and openat(2). ../files/README.md, "Kernels
// without the newer calls". Each answers false, or an empty descriptor, with errno.

namespace syncspawn::sandbox {

// The path of what is open.
struct DescriptorPath {
    explicit DescriptorPath(int fd) noexcept {
        detail::BoundedText(text) << "/proc/self/fd/" << fd;
    }
    char text[32];
};

namespace older {

// mounts_older.cpp
bool make_stage(MountWork& work) noexcept;  // says why not
Opened clone_tree(MountWork& work, int directory, const char* path, unsigned flags) noexcept;
Opened mount_new(MountWork& work, const char* type, std::uint64_t attributes,
                 const char* settings) noexcept;
bool move_tree(MountWork& work, int tree, int directory, const char* path) noexcept;

// mounts_older_attributes.cpp
bool set_attributes(MountWork& work, int mount, unsigned flags, std::uint64_t set,
                    std::uint64_t clear) noexcept;

// mounts_older_walk.cpp
Opened open_by(MountWork& work, int directory, const char* path, std::uint64_t flags,
               std::uint64_t resolve) noexcept;
// No link on the way, and each name in the directory that was opened before it.
Opened open_straight(MountWork& work, int directory, const char* path) noexcept;

}  // namespace older
}  // namespace syncspawn::sandbox
