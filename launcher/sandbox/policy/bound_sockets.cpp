#include "bound_sockets.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::sandbox {
namespace {

using Sockets = std::vector<BoundSocket>;

// A message of netlink(7), or an attribute in one.
struct Record {
    unsigned type = 0;
    std::string_view content{};
};

// The first of several, which is taken off. None where they are broken, or at their end.
template <class Header, auto Length, auto Type>
std::optional<Record> take(std::string_view& records) noexcept {
    constexpr std::size_t alignment = 4;
    Header header{};
    if (records.size() < sizeof header) {
        return std::nullopt;
    }
    std::memcpy(&header, records.data(), sizeof header);
    const std::size_t size = header.*Length;
    if (size < sizeof header || size > records.size()) {
        return std::nullopt;
    }
    const Record record{header.*Type, records.substr(sizeof header, size - sizeof header)};
    const std::size_t with_padding = (size + alignment - 1) / alignment * alignment;
    records.remove_prefix(std::min(with_padding, records.size()));
    return record;
}
constexpr auto take_message = take<nlmsghdr, &nlmsghdr::nlmsg_len, &nlmsghdr::nlmsg_type>;
constexpr auto take_attribute = take<rtattr, &rtattr::rta_len, &rtattr::rta_type>;

template <class Object>
Object copied(std::string_view bytes) noexcept {
    Object object{};
    std::memcpy(&object, bytes.data(), std::min(bytes.size(), sizeof object));
    return object;
}

// Abstract names begin with a zero.
void add_socket(Sockets& sockets, std::string_view message) {
    BoundSocket socket{.name = {}, .number = copied<unix_diag_msg>(message).udiag_ino};
    message.remove_prefix(std::min(message.size(), sizeof(unix_diag_msg)));
    while (const auto attribute = take_attribute(message)) {
        if (attribute->type == UNIX_DIAG_NAME) {
            socket.name = attribute->content.substr(0, attribute->content.find('\0'));
        } else if (attribute->type == UNIX_DIAG_VFS) {
            socket.file = copied<unix_diag_vfs>(attribute->content).udiag_vfs_ino;
        }
    }
    if (!socket.name.empty()) {
        sockets.push_back(std::move(socket));
    }
}

bool ask(int diagnosis) noexcept {
    struct {
        nlmsghdr header;
        unix_diag_req request;
    } question{};
    question.header = {.nlmsg_len = sizeof question,
                       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                       .nlmsg_seq = 0,
                       .nlmsg_pid = 0};
    question.request.sdiag_family = AF_UNIX;
    question.request.udiag_states = ~0U;
    question.request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS;
    return send(diagnosis, &question, sizeof question, 0) == sizeof question;
}

// Nothing where it is refused, or breaks off.
std::optional<Sockets> by_diagnosis() {
    const UniqueFd diagnosis(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!diagnosis || !ask(diagnosis.get())) {
        return std::nullopt;
    }
    Sockets sockets;
    std::array<char, 32768> buffer{};  // what netlink(7) asks for
    for (;;) {
        const ssize_t size = recv(diagnosis.get(), buffer.data(), buffer.size(), MSG_TRUNC);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0 || static_cast<std::size_t>(size) > buffer.size()) {
            return std::nullopt;
        }
        std::string_view messages(buffer.data(), static_cast<std::size_t>(size));
        while (const auto message = take_message(messages)) {
            if (message->type == NLMSG_DONE) {
                return sockets;
            }
            if (message->type == NLMSG_ERROR) {
                return std::nullopt;
            }
            add_socket(sockets, message->content);
        }
    }
}

// "Num RefCount Protocol Flags Type St Inode Path"; a path may contain blanks, and one that is abstract begins with '@'.
Sockets by_proc() {
    Sockets sockets;
    std::ifstream file("/proc/net/unix");
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream columns(line);
        BoundSocket socket;
        for (std::string skipped : {"Num", "RefCount", "Protocol", "Flags", "Type", "St"}) {
            columns >> skipped;
        }
        columns >> socket.number;
        columns.ignore(1);
        if (std::getline(columns, socket.name) && !socket.name.empty() && socket.name[0] != '@') {
            sockets.push_back(std::move(socket));
        }
    }
    return sockets;
}

}  // namespace

std::vector<BoundSocket> bound_sockets() {
    std::optional<Sockets> sockets = by_diagnosis();
    return sockets ? *std::move(sockets) : by_proc();
}

}  // namespace syncspawn::sandbox
