// The main job, end to end: a shell script in its own user namespace, whose maps the parent writes
// while the child waits, starts a server, reports ready beyond execve, is queried, and is ended.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

namespace {

using syncspawn::UniqueFd;

std::string read_line(int fd) {
    std::string line;
    for (char character = 0; read(fd, &character, 1) == 1 && character != '\n';) {
        line += character;
    }
    return line;
}

// The last line of what the server answers to GET /.
std::string query(int port) {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string request = "GET / HTTP/1.0\r\n\r\n";
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
        write(socket.get(), request.data(), request.size()) < 0) {
        throw std::runtime_error("cannot query the server");
    }
    std::string answer;
    char piece[512];
    for (ssize_t size = 0; (size = read(socket.get(), piece, sizeof piece)) > 0;) {
        answer.append(piece, static_cast<std::size_t>(size));
    }
    const std::size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? "" : answer.substr(body + 4);
}

// In a chroot and in many a container there are none, or their maps may not be written.
bool lacks_user_namespaces(const syncspawn::SpawnError& error) {
    return error.stage() == syncspawn::Stage::start || error.step() == "id maps";
}

syncspawn::Process launch(syncspawn::SpawnOptions options) {
    options.birth.namespaces = syncspawn::Namespaces::user;
    try {
        syncspawn::SyncedSpawner spawner(options);
        spawner.step(syncspawn::steps::map_root());
        return spawner.spawn();
    } catch (const syncspawn::SpawnError& error) {
        if (!lacks_user_namespaces(error)) {
            throw;
        }
        std::printf(
            "parent: no user namespace, so there is no map to write and the script stays"
            " who it is:\nparent: %s\n",
            error.what());
    }
    options.birth.namespaces = syncspawn::Namespaces::none;
    return syncspawn::SyncedSpawner(options).spawn();
}

int run(const std::string& tools, const std::string& script) {
    syncspawn::SpawnOptions options{.program = "sh", .arguments = {script}};
    options.environment.set("PATH", tools + ":" + options.environment.get("PATH").value_or("/bin"));
    options.streams.output = syncspawn::Stdio::pipe();
    options.ending.scope = syncspawn::KillScope::process_group;
    options.readiness.within = std::chrono::seconds(30);
    syncspawn::Process child = launch(options);
    const int port = std::stoi(read_line(child.standard_output()));
    const std::string answer = query(port);
    std::printf("parent: the server on port %d says: %s", port, answer.c_str());
    const syncspawn::ExitStatus status = child.terminate(std::chrono::seconds(5));
    std::printf("parent: the script %s\n\n%s", status.to_string().c_str(),
                syncspawn::draw(child.timeline()).c_str());
    return answer == "hello from beyond execve\n" && status.code() == 143 ? 0 : 1;
}

}  // namespace

int main() {
    try {
        // In the build tree: beside the script, and one above it the program that the script calls.
        const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
        return run(here.parent_path(), here / "serve.sh");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "quickstart: %s\n", error.what());
        return 1;
    }
}
