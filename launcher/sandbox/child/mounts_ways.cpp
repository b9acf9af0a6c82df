#include <cerrno>
#include <utility>

#include "mounts_older.hpp"

// Each of these has two ways: by the newer calls, or by those that every kernel has. Which of them are there is found out
// by asking for what cannot be: whoever knows the call finds fault with its arguments.

namespace syncspawn::sandbox {
namespace {

constexpr int no_descriptor = -1;

// Filters answer one or the other for what they do not let through.
bool is_refused(bool done) noexcept { return !done && (errno == ENOSYS || errno == EPERM); }

// The newest of them, of Linux 5.12.
bool has_mount_setattr() noexcept {
    mount_attr attributes{};
    return !is_refused(syscall(SYS_mount_setattr, no_descriptor, "", AT_EMPTY_PATH, &attributes,
                               sizeof attributes) == 0);
}

bool has_the_others() noexcept {
    return !is_refused(syscall(SYS_open_tree, no_descriptor, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) >=
                       0) &&
           !is_refused(calls::move_mount(no_descriptor, no_descriptor, "")) &&
           !is_refused(calls::fsopen("") >= 0) &&
           !is_refused(calls::configure(no_descriptor, "", "")) &&
           !is_refused(calls::fsmount(no_descriptor, 0) >= 0);
}

bool has_openat2() noexcept {
    open_how how{};
    constexpr std::size_t no_size = 0;
    return !is_refused(syscall(SYS_openat2, AT_FDCWD, "/", &how, no_size) >= 0);
}

}  // namespace

// Where there is no filter, a kernel that has the newest has them all.
bool choose_ways(MountWork& work) noexcept {
    const bool is_filtered = work.plan.may_be_filtered;
    work.has_newer_calls = has_mount_setattr() && (!is_filtered || has_the_others());
    work.has_openat2 = (work.has_newer_calls && !is_filtered) || has_openat2();
    return work.has_newer_calls || older::make_stage(work);
}

const char* name_of(const MountWork& work, const char* newer_call) noexcept {
    return work.has_newer_calls ? newer_call : "mount";
}

Opened open_by(MountWork& work, int directory, const char* path, std::uint64_t flags,
               std::uint64_t resolve) noexcept {
    return work.has_openat2 ? Opened(work.closing, calls::openat2(directory, path, flags, resolve))
                            : older::open_by(work, directory, path, flags, resolve);
}

Opened clone_tree(MountWork& work, int directory, const char* path, unsigned flags) noexcept {
    return work.has_newer_calls
               ? Opened(work.closing, calls::open_tree(directory, path, OPEN_TREE_CLONE | flags))
               : older::clone_tree(work, directory, path, flags);
}

bool move_tree(MountWork& work, int tree, int directory, const char* path) noexcept {
    return work.has_newer_calls ? calls::move_mount(tree, directory, path)
                                : older::move_tree(work, tree, directory, path);
}

bool set_attributes(MountWork& work, int mount, unsigned flags, std::uint64_t set,
                    std::uint64_t clear) noexcept {
    return work.has_newer_calls ? calls::set_attributes(mount, flags, set, clear)
                                : older::set_attributes(work, mount, flags, set, clear);
}

NewFileSystem::NewFileSystem(MountWork& work, const char* type) noexcept
    : work_(work), type_(type) {
    if (work.has_newer_calls) {
        context_ = Opened(work.closing, calls::fsopen(type));
    }
}

bool NewFileSystem::set(const char* key, const char* value) noexcept {
    if (work_.has_newer_calls) {
        return calls::configure(context_.get(), key, value);
    }
    return add(key) << "=" << value, !settings_.is_cut();
}

bool NewFileSystem::set_flag(const char* key) noexcept {
    if (work_.has_newer_calls) {
        return syscall(SYS_fsconfig, context_.get(), FSCONFIG_SET_FLAG, key, nullptr, 0) == 0;
    }
    return add(key), !settings_.is_cut();
}

bool NewFileSystem::set_descriptor(const char* key, int fd) noexcept {
    if (work_.has_newer_calls) {
        return syscall(SYS_fsconfig, context_.get(), FSCONFIG_SET_FD, key, nullptr, fd) == 0;
    }
    errno = ENOSYS;
    return false;
}

bool NewFileSystem::create() noexcept {
    return !work_.has_newer_calls || calls::create(context_.get());
}

Opened NewFileSystem::mount(std::uint64_t attributes) noexcept {
    return work_.has_newer_calls ? Opened(work_.closing, calls::fsmount(context_.get(), attributes))
                                 : older::mount_new(work_, type_, attributes, text_);
}

detail::BoundedText& NewFileSystem::add(const char* key) noexcept {
    return settings_ << (text_[0] == '\0' ? "" : ",") << key;
}

}  // namespace syncspawn::sandbox
