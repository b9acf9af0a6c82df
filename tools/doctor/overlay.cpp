#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "groups.hpp"
#include "trial.hpp"

namespace syncspawn::tools {
namespace {

bool is_written(const char* path, const std::string& text) {
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    return file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// On top of everything that this child sees, and gone with it.
int overlay_in_new_namespaces() {
    const std::string user = std::to_string(geteuid());
    const std::string group = std::to_string(getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
        !is_written("/proc/self/uid_map", user + " " + user + " 1") ||
        !is_written("/proc/self/setgroups", "deny") ||
        !is_written("/proc/self/gid_map", group + " " + group + " 1") ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        mount("none", "/", "tmpfs", 0, nullptr) < 0 || chdir("/..") < 0) {
        return errno;
    }
    for (const char* directory : {"lower", "upper", "work", "over"}) {
        if (mkdir(directory, 0700) < 0) {
            return errno;
        }
    }
    return mount("none", "over", "overlay", 0,
                 "lowerdir=lower,upperdir=upper,workdir=work,userxattr") < 0
               ? errno
               : 0;
}

}  // namespace

sandbox::Ability try_overlay() {
    const Answer answer = tried_in_child(overlay_in_new_namespaces);
    switch (answer.error) {
        case 0:
            return {};
        case ENODEV:
            return refusal(ENODEV, "mount overlay",
                           "this kernel has no overlay, or its module is not loaded",
                           "as root: modprobe overlay");
        case EPERM:
        case EINVAL:
            return refusal(answer.error, "mount overlay",
                           "this kernel allows none in a user namespace", "Linux 5.11");
        default:
            return refusal(answer.error, "mount overlay", "it cannot be mounted",
                           "look at the kernel's log");
    }
}

}  // namespace syncspawn::tools
