#include <cerrno>
#include <utility>

#include "mounts_older.hpp"

namespace syncspawn::sandbox {
namespace {

// Open until it is mounted: it may get the names of descriptors.
struct Directories {
    Opened layers[most_layers];
    Opened upper{};
    Opened scratch{};
};

// Where descriptors are no answer yet, names of them are. A value has at most 255 characters (fsconfig(2)).
struct LayerNames {
    char text[256] = {};
    detail::BoundedText list{text};
};

// Linux 6.13 takes the descriptor itself.
bool set_directory(MountWork& work, NewFileSystem& made, const char* key, int directory) noexcept {
    return made.set_descriptor(key, directory) || made.set(key, DescriptorPath(directory).text) ||
           refuse(work, key);
}

constexpr std::uint64_t readable_directory = O_RDONLY | O_DIRECTORY;

bool set_layers(MountWork& work, NewFileSystem& made, Directories& directories,
                std::span<const MountSource> layers) noexcept {
    LayerNames names;
    bool takes_descriptors = true;
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        directories.layers[layer] = open_source(work, layers[layer], readable_directory);
        if (!directories.layers[layer]) {
            return false;
        }
        names.list << (layer == 0 ? "" : ":")
                   << DescriptorPath(directories.layers[layer].get()).text;
        takes_descriptors =
            takes_descriptors && made.set_descriptor("lowerdir+", directories.layers[layer].get());
    }
    if (takes_descriptors) {
        return true;
    }
    if (names.list.is_cut()) {
        return refuse(work, "so many layers take Linux 6.13", E2BIG);
    }
    return made.set("lowerdir", names.text) || refuse(work, "lowerdir");
}

bool set_upper(MountWork& work, NewFileSystem& made, const Directories& directories) noexcept {
    return directories.scratch && set_directory(work, made, "upperdir", directories.upper.get()) &&
           set_directory(work, made, "workdir", directories.scratch.get());
}

bool set_writes(MountWork& work, NewFileSystem& made, Directories& directories,
                const MountAction& action) noexcept {
    directories.upper = open_source(work, *action.upper, readable_directory);
    directories.scratch =
        directories.upper ? open_source(work, *action.work, readable_directory) : Opened();
    return set_upper(work, made, directories);
}

Opened make_room_in(MountWork& work, int directory, const char* name) noexcept {
    constexpr mode_t mode = 0755;
    Opened made;
    if (syscall(SYS_mkdirat, directory, name, mode) == 0) {
        made = open_by(work, directory, name, readable_directory, RESOLVE_NO_SYMLINKS);
    }
    if (!made) {
        refuse(work, "make room for writes");
    }
    return made;
}

bool set_writes_in_memory(MountWork& work, NewFileSystem& made, Directories& directories,
                          const MountAction& action) noexcept {
    char name[16];
    detail::BoundedText(name) << action.number;
    const Opened own = make_room_in(work, work.room.get(), name);
    directories.upper = own ? make_room_in(work, own.get(), "upper") : Opened();
    directories.scratch = directories.upper ? make_room_in(work, own.get(), "work") : Opened();
    return set_upper(work, made, directories);
}

// Only the first may use trusted attributes for what the layers cover (overlayfs.rst, "userxattr").
bool is_in_first_user_namespace() noexcept {
    constexpr ino_t number_of_the_first = 0xEFFFFFFD;  // PROC_USER_INIT_INO
    struct stat about {};
    return stat("/proc/self/ns/user", &about) == 0 && about.st_ino == number_of_the_first;
}

bool configure(MountWork& work, NewFileSystem& made, Directories& directories,
               const MountAction& action) noexcept {
    if (!is_in_first_user_namespace() && !made.set_flag("userxattr")) {
        return refuse(work, "overlays in a user namespace take Linux 5.11");
    }
    if (!set_layers(work, made, directories, action.layers)) {
        return false;
    }
    if (action.keeps_writes_in_memory) {
        return set_writes_in_memory(work, made, directories, action);
    }
    return action.upper == nullptr || set_writes(work, made, directories, action);
}

}  // namespace

bool mount_overlay(MountWork& work, const MountAction& action) noexcept {
    NewFileSystem made(work, "overlay");
    Directories directories;
    if (made && !configure(work, made, directories, action)) {
        return false;
    }
    Opened tree = create_and_mount(work, made, action.attributes);
    if (!tree || (action.keeps_writes_in_memory && !make_own(work, tree.get()))) {
        return false;
    }
    return attach(work, std::move(tree), action.destination, PlaceKind::directory);
}

}  // namespace syncspawn::sandbox
