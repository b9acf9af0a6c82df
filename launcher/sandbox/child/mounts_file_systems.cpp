#include <cerrno>
#include <utility>

#include "mounts_work.hpp"

namespace syncspawn::sandbox {

Opened new_context(MountWork& work, const char* type) noexcept {
    Opened context(work.closing, calls::fsopen(type));
    if (!context) {
        refuse(work, errno == ENODEV ? "this kernel has no such file system" : "fsopen");
    }
    return context;
}

Opened create_and_mount(MountWork& work, int context, std::uint64_t attributes,
                        const char* denied) noexcept {
    if (!calls::create(context)) {
        refuse(work, errno == EPERM ? denied : "fsconfig");
        return {};
    }
    Opened mount(work.closing, calls::fsmount(context, attributes));
    if (!mount) {
        refuse(work, "fsmount");
    }
    return mount;
}

Opened new_file_system(MountWork& work, const char* type, std::span<const Setting> settings,
                       std::uint64_t attributes) noexcept {
    const Opened context = new_context(work, type);
    for (const Setting& setting : settings) {
        if (context && setting.value != nullptr &&
            !calls::configure(context.get(), setting.key, setting.value)) {
            refuse(work, setting.key);
            return {};
        }
    }
    return context ? create_and_mount(work, context.get(), attributes) : Opened();
}

bool make_own(MountWork& work, int mount) noexcept {
    struct statx about {};
    if (!calls::statx(mount, STATX_INO, about)) {
        return refuse(work, "statx");
    }
    if (work.own_count < most_own_file_systems) {
        work.own[work.own_count++] = {about.stx_dev_major, about.stx_dev_minor};
    }
    return true;
}

bool mount_tmpfs(MountWork& work, const MountAction& action) noexcept {
    const Setting settings[]{{"mode", action.mode_text}, {"size", action.size_text}};
    Opened tree = new_file_system(work, "tmpfs", settings, action.attributes);
    return tree && make_own(work, tree.get()) &&
           attach(work, std::move(tree), action.destination, PlaceKind::directory);
}

bool mount_mqueue(MountWork& work, const MountAction& action) noexcept {
    const Opened context = new_context(work, "mqueue");
    if (!context) {
        return false;
    }
    Opened tree = create_and_mount(work, context.get(), action.attributes,
                                   "fsconfig: it takes an ipc namespace of its own");
    return tree && attach(work, std::move(tree), action.destination, PlaceKind::directory);
}

}  // namespace syncspawn::sandbox
