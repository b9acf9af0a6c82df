#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "support/pipe.hpp"
#include "support/sandboxed.hpp"

// docs/what-fails-elsewhere.md: services of the host that listen on unix sockets, wherever they do.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// In a peer and outside.
void must(bool holds, const std::string& what) {
    if (!holds) {
        throw std::system_error(errno, std::generic_category(), what);
    }
}

// A directory that is removed with all that is in it.
class Directory {
public:
    explicit Directory(std::string path) : path_(std::move(path)) {
        is_made_ = mkdir(path_.c_str(), 0700) == 0;
        must(is_made_ || errno == EEXIST, path_);
        if (is_made_) {
            chmod(path_.c_str(), 0755);
        }
    }
    ~Directory() {
        if (is_made_) {
            std::error_code ignored;
            std::filesystem::remove_all(path_, ignored);
        }
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    bool is_made_ = false;
};

// One that listens, for everybody. A name with '@' is abstract.
class Service {
public:
    explicit Service(const std::string& name)
        : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        const bool has_path = name.front() != '@';
        if (has_path) {
            path_ = name;
        } else {
            address.sun_path[0] = '\0';
        }
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                                 (has_path ? 1 : 0));
        must(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, name);
        must(!has_path || chmod(name.c_str(), 0666) == 0, name);
        must(listen(socket_.get(), 64) == 0, name);
    }
    ~Service() { unlink(path_.c_str()); }
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

private:
    UniqueFd socket_;
    std::string path_{};
};

std::string unique_name() { return "syncspawn-test-" + std::to_string(getpid()); }

// The host of somebody who works at it.
struct Host {
    Directory run{"/run/" + unique_name()};
    Directory agents{"/tmp/ssh-" + unique_name()};
    Directory x11{"/tmp/.X11-unix"};
    // Neither in /tmp nor in /run.
    Directory home{"/var/lib/" + unique_name()};
    std::string display = "/tmp/.X11-unix/X" + std::to_string(10000 + getpid());
    Directory users{run / "user"};
    Directory gpg{home / ".gnupg"};

    Service bus{users / "bus"};
    Service docker{run / "docker.sock"};
    Service agent{agents / "agent.1"};
    Service gpg_agent{gpg / "S.gpg-agent"};
    Service x11_by_path{display};
    Service x11_abstract{"@" + display};

    [[nodiscard]] std::vector<std::string> names() const {
        return {users / "bus", run / "docker.sock", "$SSH_AUTH_SOCK", gpg / "S.gpg-agent",
                display,       "@" + display};
    }
};

#define SKIP_UNLESS_ROOT()                                              \
    if (geteuid() != 0) {                                               \
        SKIP_TEST("only root can make services in their usual places"); \
    }

// A line for each: whether the program can connect.
std::string attempts(const std::vector<std::string>& names) {
    std::string script =
        "connects() { perl -MSocket -e 'my $name = shift; $name =~ s/^@/\\0/;"
        " socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un($name)) or exit 1' "
        "\"$1\"; }\n";
    for (const std::string& name : names) {
        script += "can connects \"" + name + "\"\n";
    }
    return script;
}

std::string seen_by(const SyncedSpawner& spawner, const Host& host) {
    SpawnOptions options = spawner.options();
    options.environment.set("SSH_AUTH_SOCK", host.agents / "agent.1");
    SpawnError error;
    Process process = spawner.with(options).spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

std::string times(std::size_t count, const char* line) {
    std::string text;
    for (std::size_t number = 0; number < count; ++number) {
        text += line;
    }
    return text;
}

void expect_refused(const std::string& script, std::size_t count, const Policy& policy,
                    const Host& host, int line = __builtin_LINE()) {
    const Sandbox sandbox = planned(policy);
    expect_same(seen_by(spawner_of(script, sandbox), host).c_str(), times(count, "no\n").c_str(),
                line);
    // The report names what holds it.
    const std::string plan = sandbox.explain().to_string();
    expect(plan.find("services: by sockets with a path hidden by mounts, abstract ones by ") !=
               std::string::npos,
           line);
}

}  // namespace

TEST_CASE("services of the host are out of reach, wherever they listen") {
    SKIP_UNLESS_ROOT();
    const Host host;
    const std::vector<std::string> names = host.names();
    as_everybody([&] {
        const std::string script = attempts(names);
        const Policy everything{.files = {.tree = Tree::host, .private_tmp = false},
                                .network = Network::host,
                                .services = Services::host};
        // As without a sandbox.
        expect_same(seen_by(spawner_of(script, planned(everything)), host).c_str(),
                    times(names.size(), "yes\n").c_str());
        expect_refused(script, names.size(), {}, host);
        expect_refused(script, names.size(), {.network = Network::loopback}, host);
        expect_refused(script, names.size(), {.network = Network::host}, host);
        expect_refused(script, names.size(), {.files = {.private_tmp = false}}, host);
        expect_refused(script, names.size(), {.files = {.tree = Tree::host, .private_tmp = false}},
                       host);
    });
}

TEST_CASE("a service whose path the policy names is in reach, and the others are not") {
    SKIP_UNLESS_ROOT();
    const Host host;
    as_everybody([&] {
        const std::string docker = host.run / "docker.sock";
        const Sandbox sandbox = planned({.files = {.writable = {docker}}});
        expect_same(
            seen_by(spawner_of(attempts({docker, host.users / "bus"}), sandbox), host).c_str(),
            "yes\nno\n");
    });
}

TEST_CASE(
    "a service in a directory that is closed to the program stays out of reach when that is "
    "opened") {
    SKIP_UNLESS_ROOT();
    const Directory home("/var/lib/" + unique_name());
    const Service service(home / "service");
    Peer peer([&] {
        const std::string connects = attempts({home / "service"});
        // In a user namespace nobody mounts as root.
        for (const Policy& policy : {Policy{}, Policy{.privileges = {.user = 7, .group = 8}}}) {
            expect(chmod(home.path().c_str(), 0700) == 0);
            const SyncedSpawner spawner =
                spawner_of("echo up; read line\n" + connects, planned(policy));
            SpawnOptions options = spawner.options();
            options.streams.input = Stdio::pipe();
            Process process = spawner.with(options).spawn();
            expect_same(next_line(process.standard_output()).c_str(), "up");
            expect(chmod(home.path().c_str(), 0755) == 0);
            expect(write(process.standard_input(), "\n", 1) == 1);
            expect_same(read_all(process.standard_output()).c_str(), "no\n");
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a service is found though it was bound by a relative path, or renamed since") {
    as_everybody([] {
        // Who holds a socket, a process knows of its own user's alone.
        const TemporaryDirectory home;
        const std::filesystem::path before = std::filesystem::current_path();
        std::filesystem::current_path(home.path());
        const Service relative("relative");
        const Service renamed(home / "old");
        expect(std::rename((home / "old").c_str(), (home / "new").c_str()) == 0);
        expect(chmod(home.path().c_str(), 0755) == 0);
        const std::string script = attempts({home / "relative", home / "new"});
        Policy policy{.files = {.tree = Tree::host, .private_tmp = false},
                      .services = Services::host};
        expect_outcome(script, policy, "yes\nyes\n");
        policy.services = Services::none;
        expect_outcome(script, policy, "no\nno\n");
        policy.files.tree = Tree::host_read_only;
        expect_outcome(script, policy, "no\nno\n");
        std::filesystem::current_path(before);
    });
}
