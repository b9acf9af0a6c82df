#include <cerrno>
#include <utility>

#include "mounts_work.hpp"

namespace syncspawn::sandbox {

namespace {

bool is_open(MountWork& work, const NewFileSystem& made) noexcept {
    return made || refuse(work, errno == ENODEV ? "this kernel has no such file system" : "fsopen");
}

}  // namespace

Opened create_and_mount(MountWork& work, NewFileSystem& made, std::uint64_t attributes,
                        const char* denied) noexcept {
    if (!is_open(work, made)) {
        return {};
    }
    const bool is_created = made.create();
    Opened mount = is_created ? made.mount(attributes) : Opened();
    if (!mount) {
        char text[100];
        detail::BoundedText(text) << name_of(work, is_created ? "fsmount" : "fsconfig")
                                  << (errno == EPERM ? denied : "");
        refuse(work, text);
    }
    return mount;
}

Opened new_file_system(MountWork& work, const char* type, std::span<const Setting> settings,
                       std::uint64_t attributes) noexcept {
    NewFileSystem made(work, type);
    for (const Setting& setting : settings) {
        if (made && setting.value != nullptr && !made.set(setting.key, setting.value)) {
            refuse(work, setting.key);
            return {};
        }
    }
    return create_and_mount(work, made, attributes);
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
    NewFileSystem made(work, "mqueue");
    Opened tree =
        create_and_mount(work, made, action.attributes, ": it takes an ipc namespace of its own");
    return tree && attach(work, std::move(tree), action.destination, PlaceKind::directory);
}

}  // namespace syncspawn::sandbox
