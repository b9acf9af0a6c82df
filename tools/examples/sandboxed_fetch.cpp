// Runs Python with a network of its own. The only way out of it is a proxy in this process, which lets it get
// from one host, and refuses everything else.
// usage: sandboxed_fetch HOST:PORT
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/sandbox.hpp>

using syncspawn::UniqueFd;
namespace sandbox = syncspawn::sandbox;

namespace {

constexpr const char* script = R"(
import sys, socket, urllib.request
allowed = sys.argv[1]
print(urllib.request.urlopen(f'http://{allowed}/').read().decode())
try:
    urllib.request.urlopen('http://example.org/')
except OSError as error:
    print('another host:', error)
try:
    socket.create_connection(allowed.split(':'))
except OSError as error:
    print('without the proxy:', error)
)";

// What is read from a socket, up to the end of it or of an HTTP header.
std::string read_from(int fd) {
    std::string text(8192, '\0');
    std::size_t size = 0;
    ssize_t count = 1;
    while (count > 0 && size < text.size() && text.find("\r\n\r\n") == std::string::npos) {
        count = recv(fd, text.data() + size, text.size() - size, 0);
        size += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    text.resize(size);
    return text;
}

void write_to(int fd, const std::string& text) {
    (void)!send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

// Nothing, if there is no such server.
UniqueFd connect_to(const char* host, const char* port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return {};
    }
    UniqueFd server(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const bool is_connected = connect(server.get(), found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    return is_connected ? std::move(server) : UniqueFd();
}

// [proxy]
void serve(const UniqueFd& guest, const std::string& allowed) {
    char host[256] = "";
    char port[6] = "";
    char path[4096] = "";
    const std::string request = read_from(guest.get());
    (void)std::sscanf(request.c_str(), "GET http://%255[^:/ ]:%5[0-9]%4095s", host, port, path);
    if (std::string(host) + ":" + port != allowed) {
        return write_to(guest.get(), "HTTP/1.0 403 Not through this door\r\n\r\n");
    }
    const UniqueFd server = connect_to(host, port);
    write_to(server.get(), "GET " + std::string(path) + " HTTP/1.0\r\n\r\n");
    for (std::string piece; !(piece = read_from(server.get())).empty();) {
        write_to(guest.get(), piece);
    }
}
// [end]

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    const std::string allowed = argv[1];
    try {
        // [door]
        syncspawn::SyncedSpawner python(
            {.program = "python3",
             .arguments = {"-c", script, allowed},
             .environment = syncspawn::Environment::current()
                                .unset("no_proxy")
                                .set("http_proxy", "http://127.0.0.1:3128")});
        sandbox::OpenDoor door;
        const sandbox::Sandbox with_a_door(
            {.doors = {{.name = "proxy", .address = "127.0.0.1:3128"}}},
            [&](sandbox::OpenDoor opened) { door = std::move(opened); });
        with_a_door.add_to(python);
        syncspawn::Process program = python.spawn();
        std::thread proxy([&] {
            while (const UniqueFd guest{
                accept4(door.listener.get(), nullptr, nullptr, SOCK_CLOEXEC)}) {
                serve(guest, allowed);
            }
        });
        const syncspawn::ExitStatus status = program.wait();
        shutdown(door.listener.get(), SHUT_RDWR);  // accept4() returns
        proxy.join();
        // [end]
        return status.shell_code();
    } catch (const sandbox::PolicyError& error) {
        std::puts(error.what());
        return 1;
    }
}
