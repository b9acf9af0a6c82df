#include "message.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

namespace syncspawn::detail {

bool send_message(int socket, Message item, int fd) noexcept {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    iovec payload{&item, sizeof item};
    msghdr message{};
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof item;
}

}  // namespace syncspawn::detail
