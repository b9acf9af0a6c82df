#include <cerrno>
#include <utility>

#include "mounts_work.hpp"

namespace syncspawn::sandbox {
namespace {

struct Link {
    const char* target;
    const char* name;
};
constexpr Link links[]{{"/proc/self/fd", "fd"},
                       {"/proc/self/fd/0", "stdin"},
                       {"/proc/self/fd/1", "stdout"},
                       {"/proc/self/fd/2", "stderr"},
                       {"pts/ptmx", "ptmx"}};

// Bound from the host's: in a user namespace nobody makes a device.
bool bind_nodes(MountWork& work, int directory, const MountAction& action) noexcept {
    int early = action.early;
    for (const DeviceNode& node : action.devices) {
        const Opened tree = work.keeps_root ? std::move(work.early_clones[early++])
                                            : clone_device(work, node.source);
        if (!tree) {
            return false;
        }
        if (syscall(SYS_mknodat, directory, node.name, S_IFREG, 0) < 0 ||
            !move_tree(work, tree.get(), directory, node.name)) {
            return refuse(work, node.name);
        }
    }
    // Nobody inside changes owner or mode of the host's devices. Writing to them is no matter of the mount.
    constexpr std::uint64_t of_nodes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;
    return (set_attributes(work, directory, AT_RECURSIVE, MOUNT_ATTR_NOSUID | of_nodes) &&
            set_attributes(work, directory, 0, MOUNT_ATTR_NODEV, of_nodes)) ||
           refuse(work, name_of(work, "mount_setattr"));
}

bool make_links(MountWork& work, int directory) noexcept {
    for (const Link& link : links) {
        if (syscall(SYS_symlinkat, link.target, directory, link.name) < 0) {
            return refuse(work, link.name);
        }
    }
    return true;
}

bool make_terminals(MountWork& work, int directory) noexcept {
    constexpr Setting settings[]{{"ptmxmode", "0666"}, {"mode", "0620"}};
    constexpr mode_t mode = 0755;
    if (syscall(SYS_mkdirat, directory, "pts", mode) < 0) {
        return refuse(work, "pts");
    }
    const Opened terminals =
        new_file_system(work, "devpts", settings, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    return terminals && (move_tree(work, terminals.get(), directory, "pts") || refuse(work, "pts"));
}

}  // namespace

bool mount_devices(MountWork& work, const MountAction& action) noexcept {
    const Setting settings[]{{"mode", "0755"}, {"size", action.size_text}};
    constexpr mode_t everybodys = 01777;
    // Root makes no further device there. What is in shared memory may be executed: compilers at run time do that.
    const Opened tree =
        new_file_system(work, "tmpfs", settings, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (!tree || !make_own(work, tree.get())) {
        return false;
    }
    const Opened place = find_or_make(work, action.destination, PlaceKind::directory);
    if (!place || !attach_here(work, tree.get(), place.get()) ||
        !bind_nodes(work, tree.get(), action) || !make_links(work, tree.get())) {
        return false;
    }
    return (syscall(SYS_mkdirat, tree.get(), "shm", everybodys) == 0 || refuse(work, "shm")) &&
           make_terminals(work, tree.get());
}

}  // namespace syncspawn::sandbox
