#include "mount_scene.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <syncspawn/launcher.hpp>

namespace syncspawn::bench {
namespace {

constexpr const char* place = "/mnt";
constexpr const char* own_namespace = "/proc/self/ns/mnt";

void need(bool holds, const char* what) {
    if (!holds) {
        throw std::system_error(errno, std::generic_category(), what);
    }
}

int opened_namespace() {
    const int fd = open(own_namespace, O_RDONLY | O_CLOEXEC);
    need(fd >= 0, own_namespace);
    return fd;
}

int first_namespace() {
    static const int first = opened_namespace();
    return first;
}

const MountScene*& current() {
    static const MountScene* scene = nullptr;
    return scene;
}

// Who shares its root and directory with a thread cannot go (EINVAL), and ours parks one.
void go_to(int mount_namespace) {
    SyncedSpawner::end_idle_threads();
    need(setns(mount_namespace, CLONE_NEWNS) == 0, "setns");
}

}  // namespace

MountScene::MountScene(Kind kind, int count) {
    (void)first_namespace();
    need(unshare(CLONE_NEWNS) == 0, "unshare");
    need(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             mount("tmpfs", place, "tmpfs", 0, nullptr) == 0,
         "a mount namespace of the worker's own");
    for (int number = 0; number < count; ++number) {
        paths_.push_back(std::string(place) + '/' + std::to_string(number));
        const char* const path = paths_.back().c_str();
        need(mkdir(path, 0755) == 0, "mkdir");
        need(kind == Kind::directories || mount(path, path, nullptr, MS_BIND, nullptr) == 0,
             "mount");
    }
    namespace_ = opened_namespace();
    current() = this;
}

MountScene::~MountScene() { close(namespace_); }

void MountScene::enter() const {
    if (current() != this) {
        go_to(namespace_);
        current() = this;
    }
}

void MountScene::leave() {
    if (current() != nullptr) {
        go_to(first_namespace());
        current() = nullptr;
    }
}

}  // namespace syncspawn::bench
