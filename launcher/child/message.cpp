#include "message.hpp"

#include "barrier/linux/descriptor_message.hpp"

namespace syncspawn::detail {

bool send_message(int socket, Message item, int fd) noexcept {
    DescriptorMessage message(item);
    message.attach(fd);
    return message.send(socket, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof item;
}

}  // namespace syncspawn::detail
