// "connect WHERE": connects, and copies what comes to its output. "serve WHERE": says that it listens, accepts
// once, and says "hello". WHERE is a port of 127.0.0.1 or the path of a unix socket.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

int main(int, char** words) {
    sockaddr_in internet{};
    internet.sin_family = AF_INET;
    internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    const bool is_local = *words[2] == '/';
    if (is_local) {
        std::strncpy(local.sun_path, words[2], sizeof local.sun_path - 1);
    } else {
        internet.sin_port = htons(static_cast<std::uint16_t>(std::atoi(words[2])));
    }
    const auto* const address =
        is_local ? reinterpret_cast<sockaddr*>(&local) : reinterpret_cast<sockaddr*>(&internet);
    const socklen_t length = is_local ? sizeof local : sizeof internet;
    const int fd = socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (std::string_view(words[1]) == "serve") {
        if (bind(fd, address, length) < 0 || listen(fd, 8) < 0 ||
            write(1, "listening\n", 10) != 10) {
            return 1;
        }
        return write(accept(fd, nullptr, nullptr), "hello\n", 6) == 6 ? 0 : 1;
    }
    if (connect(fd, address, length) < 0) {
        std::puts(std::strerror(errno));
        return 1;
    }
    char text[100];
    const ssize_t count = read(fd, text, sizeof text);
    return count > 0 && write(1, text, static_cast<std::size_t>(count)) == count ? 0 : 1;
}
