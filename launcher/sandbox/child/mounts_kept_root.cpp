#include "mounts_work.hpp"

// The child's mount namespace is a copy of the host's tree already. Where nothing is outside of its root, it needs no
// second copy, nor to take the first one away: ../README.md, "The root that is kept".

namespace syncspawn::sandbox {
namespace {

bool clone_early(MountWork& work, const MountAction& action) noexcept {
    if (action.early < 0) {
        return true;
    }
    Opened* clone = work.early_clones + action.early;
    if (action.kind == FileOperation::Kind::bind) {
        *clone = clone_source(work, action.source);
        return static_cast<bool>(*clone);
    }
    for (const DeviceNode& node : action.devices) {
        *clone = clone_device(work, node.source);
        if (!*clone++) {
            return false;
        }
    }
    return true;
}

}  // namespace

// Unless the launcher has another root by now.
bool may_keep_root(const MountWork& work) noexcept {
    struct statx about {};
    return work.plan.may_keep_root && calls::statx(AT_FDCWD, what_it_is, about, "/") &&
           is_same(work.plan.actions.data()->source.identity, about);
}

bool keep_root(MountWork& work) noexcept {
    for (const MountAction& action : work.plan.actions) {
        work.label = action.label;
        if (!clone_early(work, action)) {
            return false;
        }
    }
    const MountAction& root = *work.plan.actions.data();
    work.label = root.label;
    work.root = open_by(work, AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
    if (!work.root) {
        return refuse(work, "openat2");
    }
    return calls::set_attributes(work.root.get(), AT_RECURSIVE, root.attributes) ||
           refuse(work, "mount_setattr");
}

}  // namespace syncspawn::sandbox
