#include <cerrno>
#include <utility>

#include "barrier/linux/bounded_text.hpp"
#include "mounts_work.hpp"

namespace syncspawn::sandbox {
namespace {

// Where descriptors are no answer yet, names of them are. A value has at most 255 characters (fsconfig(2)).
struct LayerNames {
    char text[256] = {};
    detail::BoundedText list{text};
};

bool set_descriptor(int context, const char* key, int directory) noexcept {
    return syscall(SYS_fsconfig, context, FSCONFIG_SET_FD, key, nullptr, directory) == 0;
}

// Linux 6.13 takes the descriptor itself.
bool set_directory(MountWork& work, int context, const char* key, int directory) noexcept {
    if (set_descriptor(context, key, directory)) {
        return true;
    }
    char path[32];
    detail::BoundedText(path) << "/proc/self/fd/" << directory;
    return calls::configure(context, key, path) || refuse(work, key);
}

constexpr std::uint64_t readable_directory = O_RDONLY | O_DIRECTORY;

bool set_layers(MountWork& work, int context, std::span<const MountSource> layers) noexcept {
    Opened open[most_layers];
    LayerNames names;
    bool takes_descriptors = true;
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        open[layer] = open_source(work, layers[layer], readable_directory);
        if (!open[layer]) {
            return false;
        }
        names.list << (layer == 0 ? "" : ":") << "/proc/self/fd/" << open[layer].get();
        takes_descriptors =
            takes_descriptors && set_descriptor(context, "lowerdir+", open[layer].get());
    }
    if (takes_descriptors) {
        return true;
    }
    if (names.list.is_cut()) {
        return refuse(work, "so many layers take Linux 6.13", E2BIG);
    }
    return calls::configure(context, "lowerdir", names.text) || refuse(work, "lowerdir");
}

bool set_writes(MountWork& work, int context, const MountAction& action) noexcept {
    const Opened upper = open_source(work, *action.upper, readable_directory);
    const Opened scratch = upper ? open_source(work, *action.work, readable_directory) : Opened();
    return scratch && set_directory(work, context, "upperdir", upper.get()) &&
           set_directory(work, context, "workdir", scratch.get());
}

Opened make_room_in(MountWork& work, int directory, const char* name) noexcept {
    constexpr mode_t mode = 0755;
    Opened made;
    if (syscall(SYS_mkdirat, directory, name, mode) == 0) {
        made = Opened(work.closing,
                      calls::openat2(directory, name, readable_directory, RESOLVE_NO_SYMLINKS));
    }
    if (!made) {
        refuse(work, "make room for writes");
    }
    return made;
}

bool set_writes_in_memory(MountWork& work, int context, const MountAction& action) noexcept {
    char name[16];
    detail::BoundedText(name) << action.number;
    const Opened own = make_room_in(work, work.room.get(), name);
    const Opened upper = own ? make_room_in(work, own.get(), "upper") : Opened();
    const Opened scratch = upper ? make_room_in(work, own.get(), "work") : Opened();
    return scratch && set_directory(work, context, "upperdir", upper.get()) &&
           set_directory(work, context, "workdir", scratch.get());
}

// Only the first may use trusted attributes for what the layers cover (overlayfs.rst, "userxattr").
bool is_in_first_user_namespace() noexcept {
    constexpr ino_t number_of_the_first = 0xEFFFFFFD;  // PROC_USER_INIT_INO
    struct stat about {};
    return stat("/proc/self/ns/user", &about) == 0 && about.st_ino == number_of_the_first;
}

bool configure(MountWork& work, int context, const MountAction& action) noexcept {
    if (!is_in_first_user_namespace() &&
        syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) < 0) {
        return refuse(work, "overlays in a user namespace take Linux 5.11");
    }
    if (!set_layers(work, context, action.layers)) {
        return false;
    }
    if (action.keeps_writes_in_memory) {
        return set_writes_in_memory(work, context, action);
    }
    return action.upper == nullptr || set_writes(work, context, action);
}

}  // namespace

bool mount_overlay(MountWork& work, const MountAction& action) noexcept {
    const Opened context = new_context(work, "overlay");
    if (!context || !configure(work, context.get(), action)) {
        return false;
    }
    Opened tree = create_and_mount(work, context.get(), action.attributes);
    if (!tree || (action.keeps_writes_in_memory && !make_own(work, tree.get()))) {
        return false;
    }
    return attach(work, std::move(tree), action.destination, PlaceKind::directory);
}

}  // namespace syncspawn::sandbox
