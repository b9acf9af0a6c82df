#include <syncspawn/sandbox/network.hpp>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "address.hpp"
#include "launcher/sandbox/child/network.hpp"
#include "launcher/sandbox/namespaces/outer_namespace.hpp"

#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)
#endif

namespace syncspawn::sandbox {
namespace {

// A number that getsockopt(2) tells; -1 if it tells none.
int option_of(int socket, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// The child may have been taken over, where it has joined namespaces of somebody else.
bool is_listener(int socket, const SocketAddress& address) {
    return option_of(socket, SO_ACCEPTCONN) == 1 &&
           option_of(socket, SO_DOMAIN) == address.family();
}

// Empty, and errno.
std::string address_text(int socket) {
    SocketAddress address{.length = sizeof(sockaddr_storage)};
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.length) < 0) {
        return {};
    }
    return text_of(address);
}

// The file of a socket with a path, where that lies on the host. It is removed if it is still there.
struct SocketFile {
    std::optional<struct stat> made{};
};

void remember_file(SocketFile& file, const UniqueFd& listener) {
    const UniqueFd opened(ioctl(listener.get(), SIOCUNIXFILE));
    struct stat made {};
    if (opened && fstat(opened.get(), &made) == 0) {
        file.made = made;
    }
}

// By the directory, so that one that is swapped meanwhile leads to no file of somebody else.
void remove_file(const SocketFile& file, const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (!file.made || slash == std::string::npos) {
        return;
    }
    const UniqueFd directory(
        open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const char* const name = path.c_str() + slash + 1;
    struct stat present {};
    if (directory && fstatat(directory.get(), name, &present, AT_SYMLINK_NOFOLLOW) == 0 &&
        present.st_dev == file.made->st_dev && present.st_ino == file.made->st_ino) {
        unlinkat(directory.get(), name, 0);
    }
}

// The child may have sent its listener, and failed afterwards.
void take_back(ParentSide& side, const std::string& path) {
    auto& file = side.state<SocketFile>();
    if (!file.made) {
        try {
            remember_file(file, side.take_descriptor());
        } catch (const std::exception&) {
            return;  // there was none, or what came was something else
        }
    }
    remove_file(file, path);
}

std::error_code hand_out(ParentSide& side, const Door& door, const SocketAddress& address,
                         const std::function<void(OpenDoor)>& opened) {
    OpenDoor open{
        .name = door.name, .process = side.child_pid(), .listener = side.take_descriptor()};
    errno = 0;
    if (!is_listener(open.listener.get(), address)) {
        return errno == 0 || errno == ENOTSOCK
                   ? side.fail(EPROTO, "what the child has sent is not the door")
                   : side.fail("getsockopt");
    }
    if (address.is_path) {
        remember_file(side.state<SocketFile>(), open.listener);
    }
    open.address = address_text(open.listener.get());
    if (open.address.empty()) {
        return side.fail("getsockname");
    }
    opened(std::move(open));
    return side.done();
}

}  // namespace

Step loopback_up() {
    const OuterNamespace outer = outer_namespace(OuterKind::network);
    return {.name = "loopback", .child = shared_memory([outer](ChildSide& side) {
                                    return bring_loopback_up(side, outer);
                                })};
}

Step door(Door door, std::function<void(OpenDoor)> opened, int backlog) {
    if (!opened) {
        throw std::invalid_argument("a door needs a function that takes its listener");
    }
    DoorToOpen plan{.address = address_of(door.address), .backlog = backlog};
    if (!plan.address.is_path) {
        plan.outer = outer_namespace(OuterKind::network);
    }
    ParentPart begin;
    ParentPart remove;
    ParentPart undo;
    if (plan.address.is_path) {
        begin = [](ParentSide& side) { side.state<SocketFile>() = {}; };
        remove = [path = door.address](ParentSide& side) {
            remove_file(side.state<SocketFile>(), path);
        };
        undo = [path = door.address](ParentSide& side) { take_back(side, path); };
    }
    const std::string name = door.name.empty() ? "door" : "door '" + door.name + "'";
    return {.name = name,
            .before_start = begin,
            .child = shared_memory([plan](ChildSide& side) { return open_door(side, plan); }),
            .after_execve = [door = std::move(door), address = plan.address,
                             opened = std::move(opened)](
                                ParentSide& side) { return hand_out(side, door, address, opened); },
            .after_end = remove,
            .undo = undo,
            .sends_descriptors = 1};
}

}  // namespace syncspawn::sandbox
