// Tries what its arguments say, and exits with 0 if that works, else with the errno.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

#include <cstdint>
#include <cstring>
#include <string>

namespace {

bool meet_port(const char* port, decltype(connect)* call) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return call(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&address),
                sizeof address) == 0;
}

bool connect_abstract(const char* name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path + 1, name, sizeof address.sun_path - 2);
    const auto size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name));
    return connect(socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&address), size) ==
           0;
}

bool control(const char* path) {
    int number = 0;
    return ioctl(open(path, O_RDWR | O_NOCTTY), TIOCGPTN, &number) == 0;
}

bool attempt(const std::string& what, const char* on, const char* second) {
    if (what == "read") return open(on, O_RDONLY) >= 0;
    if (what == "write") return open(on, O_WRONLY) >= 0;
    if (what == "truncate") return truncate(on, 0) == 0;
    if (what == "make") return open(on, O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0;
    if (what == "make_directory") return mkdir(on, 0700) == 0;
    if (what == "make_device") return mknod(on, S_IFCHR | 0600, makedev(1, 3)) == 0;
    if (what == "remove") return unlink(on) == 0;
    if (what == "rename") return rename(on, second) == 0;
    if (what == "link") return link(on, second) == 0;
    if (what == "list") return open(on, O_RDONLY | O_DIRECTORY) >= 0;
    if (what == "control") return control(on);
    if (what == "mount") return mount("none", on, "tmpfs", 0, nullptr) == 0;
    if (what == "signal") return kill(std::stoi(on), SIGCONT) == 0;
    if (what == "connect") return meet_port(on, connect);
    if (what == "bind") return meet_port(on, bind);
    if (what == "connect_abstract") return connect_abstract(on);
    errno = EINVAL;
    return false;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) {
        return EINVAL;
    }
    const bool works = attempt(arguments[1], arguments[2], count > 3 ? arguments[3] : "");
    _exit(works ? 0 : errno);  // no search for leaks, which a filter may forbid
}
