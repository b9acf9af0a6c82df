#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstring>

namespace syncspawn::detail {

// A message of a unix socket, with a payload and room for one descriptor (SCM_RIGHTS, unix(7)). The payload is the
// caller's, and outlives this.
class DescriptorMessage {
public:
    template <class Payload>
    explicit DescriptorMessage(Payload& payload) noexcept : payload_{&payload, sizeof payload} {
        header_.msg_iov = &payload_;
        header_.msg_iovlen = 1;
    }
    DescriptorMessage(const DescriptorMessage&) = delete;
    DescriptorMessage& operator=(const DescriptorMessage&) = delete;

    void attach(int fd) noexcept {
        give_room();
        cmsghdr* const part = CMSG_FIRSTHDR(&header_);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = sizeof room_;
        std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
    }
    // As sendmsg(2).
    ssize_t send(int socket, int flags) const noexcept { return sendmsg(socket, &header_, flags); }

    // As recvmsg(2). What comes is close-on-exec, and the kernel closes what there is no room for.
    ssize_t receive(int socket, int flags) noexcept {
        give_room();
        const ssize_t size = recvmsg(socket, &header_, flags | MSG_CMSG_CLOEXEC);
        if (size < 0) {
            header_.msg_controllen = 0;
        }
        return size;
    }
    // What came last, yours to close; -1: none.
    [[nodiscard]] int descriptor() const noexcept {
        const cmsghdr* const part = CMSG_FIRSTHDR(&header_);
        int fd = -1;
        if (part != nullptr && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
            part->cmsg_len == sizeof room_) {
            std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
        }
        return fd;
    }
    // MSG_TRUNC, MSG_CTRUNC.
    [[nodiscard]] int flags() const noexcept { return header_.msg_flags; }

private:
    void give_room() noexcept {
        header_.msg_control = room_;
        header_.msg_controllen = sizeof room_;
    }

    iovec payload_;
    // Not CMSG_SPACE, whose padding has room for a second one.
    alignas(cmsghdr) char room_[CMSG_LEN(sizeof(int))] = {};
    msghdr header_{};
};

}  // namespace syncspawn::detail
