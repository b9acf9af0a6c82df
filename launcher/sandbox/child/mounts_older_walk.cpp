#include <linux/magic.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>

#include "mounts_older.hpp"

namespace syncspawn::sandbox::older {
namespace {

constexpr int most_links = 40;  // as for the kernel: path_resolution(7)

Opened open_name(MountWork& work, int directory, const char* name) noexcept {
    return {work.closing, static_cast<int>(syscall(SYS_openat, directory, name,
                                                   O_PATH | O_NOFOLLOW | O_CLOEXEC))};
}

Opened open_again(MountWork& work, int fd, std::uint64_t flags) noexcept {
    constexpr std::uint64_t of_names = O_NOFOLLOW;
    return {work.closing, static_cast<int>(syscall(SYS_openat, AT_FDCWD, DescriptorPath(fd).text,
                                                   (flags & ~of_names) | O_CLOEXEC))};
}

Opened failed(int error) noexcept {
    errno = error;
    return {};
}

// A path that is walked name by name; what it leads through is never above its root.
class InRoot {
public:
    InRoot(MountWork& work, int root, std::uint64_t flags, std::uint64_t resolve) noexcept
        : work_(work), root_(root), flags_(flags), resolve_(resolve) {}

    Opened open(const char* path) noexcept {
        if (!put_before_the_rest(path)) {
            return {};
        }
        at_ = open_name(work_, root_, ".");
        while (at_ && take_name()) {
            if (!enter()) {
                return {};
            }
        }
        return at_ ? settle() : Opened();
    }

private:
    [[nodiscard]] bool put_before_the_rest(const char* text) noexcept {
        char rest[PATH_MAX];
        detail::BoundedText(rest) << left_ + begin_;
        detail::BoundedText joined(left_);
        joined << text << "/" << rest;
        begin_ = 0;
        errno = ENAMETOOLONG;
        return !joined.is_cut();
    }

    // The next name off the front of what is left; false at the end.
    bool take_name() noexcept {
        begin_ += std::strspn(left_ + begin_, "/");
        const std::size_t size = std::strcspn(left_ + begin_, "/");
        detail::BoundedText(name_) << std::string_view(left_ + begin_, size);
        begin_ += size;
        is_last_ = left_[begin_ + std::strspn(left_ + begin_, "/")] == '\0';
        return size > 0;
    }

    bool enter() noexcept {
        if (std::string_view(name_) == ".") {
            return true;
        }
        if (std::string_view(name_) == "..") {
            return go_up();
        }
        Opened next = open_name(work_, at_.get(), name_);
        struct statx about {};
        if (!next || !calls::statx(next.get(), STATX_TYPE, about)) {
            return false;
        }
        if (S_ISLNK(about.stx_mode) && !(is_last_ && (flags_ & O_NOFOLLOW) != 0)) {
            return follow(next.get());
        }
        detail::BoundedText so_far(scratch_);
        so_far << done_ << "/" << name_;
        detail::BoundedText(done_) << scratch_;
        at_ = std::move(next);
        errno = ENAMETOOLONG;
        return !so_far.is_cut();
    }

    // From the root again: the directory may have been moved, and what is above it now is anybody's.
    bool go_up() noexcept {
        std::size_t size = std::strlen(done_);
        while (size > 0 && done_[--size] != '/') {
        }
        done_[size] = '\0';
        at_ = size == 0 ? open_name(work_, root_, ".") : open_straight(work_, root_, done_);
        return static_cast<bool>(at_);
    }

    // A link of /proc that leads to a thing, not to a path, would say a path of the host.
    bool follow(int link) noexcept {
        struct statfs about {};
        char target[PATH_MAX];
        const long size = syscall(SYS_readlinkat, link, "", target, sizeof target - 1);
        if (size < 0) {
            return false;
        }
        target[size] = '\0';
        const bool is_magic = target[0] == '/' && syscall(SYS_fstatfs, link, &about) == 0 &&
                              about.f_type == PROC_SUPER_MAGIC;
        if (is_magic || (resolve_ & RESOLVE_NO_SYMLINKS) != 0 || ++links_ > most_links) {
            errno = ELOOP;
            return false;
        }
        if (target[0] == '/') {
            done_[0] = '\0';
            at_ = open_name(work_, root_, ".");
        }
        return at_ && put_before_the_rest(target);
    }

    Opened settle() noexcept {
        struct statx about {};
        if ((flags_ & O_DIRECTORY) != 0 &&
            (!calls::statx(at_.get(), STATX_TYPE, about) || !S_ISDIR(about.stx_mode))) {
            return failed(ENOTDIR);
        }
        return (flags_ & O_PATH) != 0 ? std::move(at_) : open_again(work_, at_.get(), flags_);
    }

    MountWork& work_;
    const int root_;
    const std::uint64_t flags_;
    const std::uint64_t resolve_;
    Opened at_{};
    char left_[PATH_MAX] = {};
    std::size_t begin_ = 0;
    char name_[NAME_MAX + 1] = {};
    bool is_last_ = false;
    char done_[PATH_MAX] = {};  // without links
    char scratch_[PATH_MAX] = {};
    int links_ = 0;
};

}  // namespace

Opened open_by(MountWork& work, int directory, const char* path, std::uint64_t flags,
               std::uint64_t resolve) noexcept {
    if (directory != AT_FDCWD) {
        return InRoot(work, directory, flags, resolve).open(path);
    }
    const Opened root(work.closing, static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/",
                                                             O_PATH | O_DIRECTORY | O_CLOEXEC)));
    return root ? InRoot(work, root.get(), flags, resolve).open(path) : Opened();
}

Opened open_straight(MountWork& work, int directory, const char* path) noexcept {
    return InRoot(work, directory, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS).open(path);
}

}  // namespace syncspawn::sandbox::older
