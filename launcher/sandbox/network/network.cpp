#include <syncspawn/sandbox/network.hpp>

#include <cerrno>
#include <stdexcept>
#include <utility>

#include "address.hpp"
#include "launcher/sandbox/child/network.hpp"
#include "launcher/sandbox/namespaces/outer_namespace.hpp"

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
    const std::string name = door.name.empty() ? "door" : "door '" + door.name + "'";
    return {.name = name,
            .child = shared_memory([plan](ChildSide& side) { return open_door(side, plan); }),
            .after_execve = [door = std::move(door), address = plan.address,
                             opened = std::move(opened)](
                                ParentSide& side) { return hand_out(side, door, address, opened); },
            .sends_descriptors = 1};
}

}  // namespace syncspawn::sandbox
