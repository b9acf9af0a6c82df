#include <cerrno>
#include <utility>

#include "mounts_older.hpp"

// mount(2) knows no tree that is mounted nowhere. So what is made is first mounted on the stage, a file system on top of
// the host's root, and then moved to its place. All paths that it gets are those of descriptors: they lead to what was
// opened, whatever has become of its name.

namespace syncspawn::sandbox {
namespace {

// The number of the next place on the stage.
struct StageName {
    explicit StageName(int number) noexcept { detail::BoundedText(text) << number; }
    char text[16];
};

Opened open_on_stage(MountWork& work, const StageName& name) noexcept {
    return {work.closing, static_cast<int>(syscall(SYS_openat, work.stage.get(), name.text,
                                                   O_PATH | O_NOFOLLOW | O_CLOEXEC))};
}

// Of the file system itself it would be for good.
constexpr std::uint64_t not_at_once = MOUNT_ATTR_RDONLY;

// A new place, as long as nothing is mounted there.
Opened make_on_stage(MountWork& work, const StageName& name, bool is_directory) noexcept {
    constexpr mode_t mode = 0700;
    const long made = is_directory
                          ? syscall(SYS_mkdirat, work.stage.get(), name.text, mode)
                          : syscall(SYS_mknodat, work.stage.get(), name.text, S_IFREG | mode, 0);
    return made < 0 ? Opened() : open_on_stage(work, name);
}

bool are_different_file_systems(int left, const char* right) noexcept {
    struct statx one {};
    struct statx other {};
    return calls::statx(left, STATX_INO, one) && calls::statx(AT_FDCWD, STATX_INO, other, right) &&
           (one.stx_dev_major != other.stx_dev_major || one.stx_dev_minor != other.stx_dev_minor);
}

}  // namespace

namespace older {

// What lies on top of the root is where ".." of the root leads. Unbindable: else a clone of "/" would have it, too.
bool make_stage(MountWork& work) noexcept {
    constexpr unsigned long quiet = calls::nosuid | calls::nodev | calls::noexec;
    if (!calls::mount("none", "/", "tmpfs", quiet, "mode=0700")) {
        return refuse(work, "mount a file system to work on");
    }
    ++work.layers;
    work.stage = Opened(work.closing, static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/..",
                                                               O_PATH | O_DIRECTORY | O_CLOEXEC)));
    if (!work.stage || !are_different_file_systems(work.stage.get(), "/")) {
        return refuse(work, "open what was mounted on '/'", work.stage ? ESTALE : errno);
    }
    return calls::mount(nullptr, DescriptorPath(work.stage.get()).text, nullptr, calls::unbindable,
                        nullptr) ||
           refuse(work, "mount: it takes /proc");
}

Opened clone_tree(MountWork& work, int directory, const char* path, unsigned flags) noexcept {
    Opened opened;
    if ((flags & AT_EMPTY_PATH) == 0) {
        opened = Opened(work.closing, static_cast<int>(syscall(SYS_openat, directory, path,
                                                               O_PATH | O_NOFOLLOW | O_CLOEXEC)));
        if (!opened) {
            return {};
        }
    }
    const int source = opened ? opened.get() : directory;
    struct statx about {};
    const StageName name(work.staged++);
    if (!calls::statx(source, STATX_TYPE, about)) {
        return {};
    }
    const Opened place = make_on_stage(work, name, S_ISDIR(about.stx_mode));
    const unsigned long whole = (flags & AT_RECURSIVE) != 0 ? calls::recursive : 0;
    if (!place || !calls::mount(DescriptorPath(source).text, DescriptorPath(place.get()).text,
                                nullptr, calls::bind | whole, nullptr)) {
        return {};
    }
    return open_on_stage(work, name);
}

Opened mount_new(MountWork& work, const char* type, std::uint64_t attributes,
                 const char* settings) noexcept {
    const StageName name(work.staged++);
    const Opened place = make_on_stage(work, name, /*is_directory=*/true);
    if (!place ||
        !calls::mount("none", DescriptorPath(place.get()).text, type, attributes & ~not_at_once,
                      *settings != '\0' ? settings : nullptr)) {
        return {};
    }
    Opened made = open_on_stage(work, name);
    const std::uint64_t later = attributes & not_at_once;
    return made && (later == 0 || older::set_attributes(work, made.get(), 0, later, 0))
               ? std::move(made)
               : Opened();
}

bool move_tree(MountWork& work, int tree, int directory, const char* path) noexcept {
    const auto move_to = [tree](const char* place) noexcept {
        return calls::mount(DescriptorPath(tree).text, place, nullptr, calls::move, nullptr);
    };
    if (*path == '\0') {
        return move_to(DescriptorPath(directory).text);
    }
    if (directory == AT_FDCWD) {
        return move_to(path);
    }
    const Opened place(work.closing, static_cast<int>(syscall(SYS_openat, directory, path,
                                                              O_PATH | O_NOFOLLOW | O_CLOEXEC)));
    return place && move_to(DescriptorPath(place.get()).text);
}

}  // namespace older
}  // namespace syncspawn::sandbox
