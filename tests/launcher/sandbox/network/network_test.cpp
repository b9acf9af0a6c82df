#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <syncspawn/sandbox/namespaces.hpp>
#include <syncspawn/sandbox/network.hpp>

#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/sanitizers.hpp"
#include "support/shared_memory.hpp"
#include "support/steps.hpp"

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

const std::string network_peer = SYNCSPAWN_TEST_HELPERS "/network_peer";

constexpr Namespaces own_network = Namespaces::user | Namespaces::network;

SpawnOptions peer_inside(const std::string& what, const std::string& where, StartMethod method = {},
                         Namespaces namespaces = own_network) {
    return {.program = network_peer,
            .arguments = {what, where},
            .streams = {.output = Stdio::pipe()},
            .birth = {.method = method, .namespaces = namespaces}};
}

SyncedSpawner with_loopback(SpawnOptions options) {
    SyncedSpawner spawner(std::move(options));
    spawner.step(map_own_id()).step(loopback_up());
    return spawner;
}

bool are_forbidden() {
    SpawnError error;
    const Process process =
        SyncedSpawner({.program = "true", .birth = {.namespaces = own_network}}).spawn(error);
    return static_cast<bool>(error);
}

#define SKIP_WITHOUT_NAMESPACES()                                      \
    if (are_forbidden()) {                                             \
        SKIP_TEST("this machine forbids user and network namespaces"); \
    }

// Fails the case, or ends the peer, if this is not so.
using Require = void (*)(bool);
void check_here(bool holds) { CHECK(holds); }
void expect_here(bool holds) { expect(holds); }

// As this user with every way to start a child, and as an ordinary one.
void with_each(const std::function<void(StartMethod, Require)>& body) {
    const NothingIsLeft nothing;
    for (const StartMethod method : start_methods()) {
        body(method, check_here);
    }
    Peer peer([&] {
        become_ordinary_user();
        body(StartMethod::automatic, expect_here);
    });
    CHECK(peer.ending() == reached_the_end);
}

// Accepts one connection, and greets.
void greet(const OpenDoor& door, const std::string& text) {
    const UniqueFd connection(accept4(door.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    (void)!write(connection.get(), text.data(), text.size());
}

std::string error_of(const std::function<void()>& function) {
    return thrown_by<std::system_error>(function);
}

bool begins(const std::string& text, const char* with) { return text.starts_with(with); }

}  // namespace

TEST_CASE("the loopback is down in a new network namespace, and this brings it up") {
    SKIP_WITHOUT_NAMESPACES();
    with_each([](StartMethod method, Require require) {
        const auto connect = [&](bool is_up) {
            SyncedSpawner spawner(peer_inside("connect", "9", method));
            spawner.step(map_own_id());
            if (is_up) {
                spawner.step(loopback_up());
            }
            Process process = spawner.spawn();
            return read_all(process.standard_output());
        };
        require(connect(false) == "Network is unreachable\n");
        require(connect(true) == "Connection refused\n");
    });
}

TEST_CASE("the loopback is brought up where no /proc is mounted") {
#ifdef SYNCSPAWN_ADDRESS_SANITIZER
    SKIP_TEST("the program inside has the leak sanitizer, which needs a /proc");
#endif
    SKIP_WITHOUT_NAMESPACES();
    with_each([](StartMethod method, Require require) {
        SyncedSpawner spawner(peer_inside("connect", "9", method, own_network | Namespaces::mount));
        spawner.step(map_own_id());
        spawner.step({.name = "cover", .child = shared_memory([](ChildSide& side) {
                                           return mount("none", "/proc", "tmpfs", 0, nullptr) < 0
                                                      ? side.fail("mount")
                                                      : side.done();
                                       })});
        spawner.step(loopback_up());
        Process process = spawner.spawn();
        require(read_all(process.standard_output()) == "Connection refused\n");
    });
}

TEST_CASE("the host's loopback is left alone, and no door opens there") {
    const std::string outside =
        " in the child: the child is in no network namespace of its own: birth.namespaces: "
        "invalid argument";
    CHECK(error_with({.program = "true"}, loopback_up()) == "loopback" + outside);
    const auto ignore = [](const OpenDoor&) {};
    CHECK(error_with({.program = "true"}, door({.name = "", .address = "127.0.0.1:0"}, ignore)) ==
          "door" + outside);
    CHECK(error_with({.program = "true"}, door({.name = "bus", .address = "@bus"}, ignore)) ==
          "door 'bus'" + outside);
}

TEST_CASE("who has no capability in the network namespace is told so") {
    SKIP_WITHOUT_NAMESPACES();
    SyncedSpawner spawner({.program = "true", .birth = {.namespaces = own_network}});
    spawner.step(map_own_id());
    // As where AppArmor takes them away.
    spawner.step({.name = "nest", .child = async_signal_safe([](ChildSide& side) {
                                      return unshare(CLONE_NEWUSER) < 0 ? side.fail("unshare")
                                                                        : side.done();
                                  })});
    spawner.step(loopback_up());
    CHECK(begins(failure_of(spawner).what(),
                 "loopback in the child: lo up: the child has no CAP_NET_ADMIN there"));
}

// Doors.

TEST_CASE("the program reaches the launcher through a door") {
    SKIP_WITHOUT_NAMESPACES();
    with_each([](StartMethod method, Require require) {
        OpenDoor proxy;
        SyncedSpawner spawner = with_loopback(peer_inside("connect", "3128", method));
        spawner.step(door({.name = "proxy", .address = "127.0.0.1:3128"},
                          [&](OpenDoor opened) { proxy = std::move(opened); }));
        Process process = spawner.spawn();
        require(proxy.name == "proxy" && proxy.address == "127.0.0.1:3128");
        require(proxy.process == process.pid() && is_close_on_exec(proxy.listener.get()));
        greet(proxy, "hello\n");
        require(read_all(process.standard_output()) == "hello\n");
        require(process.wait().success());
    });
}

TEST_CASE(
    "a door may be a unix socket, an abstract one, or one of IPv6 with a port that is chosen") {
    SKIP_WITHOUT_NAMESPACES();
    const TemporaryDirectory directory;
    OpenDoor path;
    OpenDoor abstract_door;
    OpenDoor six;
    SyncedSpawner spawner = with_loopback(peer_inside("connect", directory / "door"));
    spawner.step(door({.name = "", .address = directory / "door"},
                      [&](OpenDoor opened) { path = std::move(opened); }));
    spawner.step(door({.name = "", .address = "@door"},
                      [&](OpenDoor opened) { abstract_door = std::move(opened); }));
    spawner.step(door({.name = "", .address = "[::1]:0"},
                      [&](OpenDoor opened) { six = std::move(opened); }));
    Process process = spawner.spawn();
    CHECK(path.address == directory / "door");
    CHECK(abstract_door.address == "@door");
    CHECK(begins(six.address, "[::1]:"));
    CHECK(six.address != "[::1]:0");
    greet(path, "by path\n");
    CHECK(read_all(process.standard_output()) == "by path\n");
}

TEST_CASE("every launch has a door of its own, and many may launch at once") {
    SKIP_WITHOUT_NAMESPACES();
    if (syncspawn::detail::is_thread_sanitized()) {
        SKIP_TEST("the sanitizer takes a child that is cloned among threads for one of them");
    }
    const NothingIsLeft nothing;
    SyncedSpawner spawner = with_loopback(peer_inside("connect", "3128"));
    spawner.step(door({.name = "", .address = "127.0.0.1:3128"}, [](const OpenDoor& opened) {
        greet(opened, std::to_string(opened.process));  // the program has connected, or will
    }));
    std::vector<std::string> answers(4);
    std::vector<std::thread> threads;
    for (std::string& answer : answers) {
        threads.emplace_back([&] {
            Process process = spawner.spawn();
            const std::string text = read_all(process.standard_output());
            answer = text == std::to_string(process.pid()) ? "own" : text;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(answers == std::vector<std::string>(4, "own"));
}

TEST_CASE("a door that cannot be opened fails the launch by its name") {
    SKIP_WITHOUT_NAMESPACES();
    const auto error_of_door = [](const std::string& address, bool is_up) {
        SyncedSpawner spawner({.program = "true", .birth = {.namespaces = own_network}});
        spawner.step(map_own_id());
        if (is_up) {
            spawner.step(loopback_up());
        }
        spawner.step(door({.name = "proxy", .address = address}, [](const OpenDoor&) {}));
        return std::string(failure_of(spawner).what());
    };
    CHECK(error_of_door("192.0.2.1:80", true) ==
          "door 'proxy' in the child: bind: no device has the address (is loopback_up() missing "
          "before?): cannot assign requested address");
    CHECK(error_of_door("/nowhere/at/all", true) ==
          "door 'proxy' in the child: bind: no such file or directory");
}

TEST_CASE("what the function of a door throws fails the launch, and ends the program") {
    SKIP_WITHOUT_NAMESPACES();
    const NothingIsLeft nothing;
    SyncedSpawner spawner = with_loopback(peer_inside("connect", "3128"));
    spawner.step(door({.name = "", .address = "127.0.0.1:3128"},
                      [](const OpenDoor&) { throw std::runtime_error("no room for guests"); }));
    const std::string error = failure_of(spawner).what();
    CHECK(error.find("no room for guests") != std::string::npos);
}

TEST_CASE("what is no address is refused") {
    const auto refusal = [](const std::string& address) {
        return thrown_by<std::invalid_argument>(
            [&] { (void)door({.name = "", .address = address}, [](const OpenDoor&) {}); });
    };
    for (const std::string address :
         {"", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:80 ",
          "127.0.0.1.1:80", "::1:80", "[::1]", "[::1]:x", "relative/path", "[127.0.0.1]:80",
          ":80"}) {
        CHECK_MESSAGE(begins(refusal(address), ("'" + address + "' is no address: ").c_str()),
                      address);
    }
    CHECK(begins(refusal("/" + std::string(107, 'a')), "'/aaa"));
    CHECK(begins(refusal("@"), "'@'"));
    CHECK(refusal("/" + std::string(106, 'a')) == "nothing");
    CHECK_THROWS_AS((void)door({.name = "", .address = "127.0.0.1:80"}, nullptr),
                    std::invalid_argument);
}

// The way in.

namespace {

// A server inside that listens already.
Process server_at(const std::string& where, StartMethod method,
                  Namespaces namespaces = own_network) {
    Process process = with_loopback(peer_inside("serve", where, method, namespaces)).spawn();
    std::string text(10, '\0');
    if (read(process.standard_output(), text.data(), text.size()) != 10 || text != "listening\n") {
        throw std::runtime_error("the server does not listen");
    }
    return process;
}

}  // namespace

TEST_CASE("connect_inside reaches a server inside") {
    SKIP_WITHOUT_NAMESPACES();
    with_each([](StartMethod method, Require require) {
        Process server = server_at("8080", method);
        const UniqueFd connection = connect_inside(server, "127.0.0.1:8080");
        require(is_close_on_exec(connection.get()));
        require(read_all(connection.get()) == "hello\n");
        require(server.wait().success());
    });
}

TEST_CASE("connect_inside reaches the first process of a pid namespace, too") {
    SKIP_WITHOUT_NAMESPACES();
    with_each([](StartMethod method, Require require) {
        Process server =
            server_at("8080", method, own_network | Namespaces::pid | Namespaces::mount);
        require(read_all(connect_inside(server, "127.0.0.1:8080").get()) == "hello\n");
    });
}

TEST_CASE("connect_inside takes a path as the program sees it") {
    SKIP_WITHOUT_NAMESPACES();
    with_each([](StartMethod, Require require) {
        const TemporaryDirectory directory;
        SyncedSpawner spawner(peer_inside("serve", directory / "socket", StartMethod::automatic,
                                          own_network | Namespaces::mount));
        spawner.step(map_own_id());
        spawner.step({.name = "private directory",
                      .child = async_signal_safe([path = directory.path()](ChildSide& side) {
                          return mount("none", path.c_str(), "tmpfs", 0, nullptr) < 0
                                     ? side.fail("mount")
                                     : side.done();
                      })});
        Process server = spawner.spawn();
        std::string text(10, '\0');
        require(read(server.standard_output(), text.data(), text.size()) == 10);
        require(access((directory / "socket").c_str(), F_OK) < 0);
        require(read_all(connect_inside(server, directory / "socket").get()) == "hello\n");
        require(server.wait().success());
    });
}

TEST_CASE("connect_inside connects outside where the program has no network of its own") {
    const NothingIsLeft nothing;
    const TemporaryDirectory directory;
    Process server = SyncedSpawner({.program = network_peer,
                                    .arguments = {"serve", directory / "socket"},
                                    .streams = {.output = Stdio::pipe()}})
                         .spawn();
    std::string text(10, '\0');
    REQUIRE(read(server.standard_output(), text.data(), text.size()) == 10);
    CHECK(read_all(connect_inside(server, directory / "socket").get()) == "hello\n");
}

TEST_CASE("connect_inside says why it cannot") {
    SKIP_WITHOUT_NAMESPACES();
    const NothingIsLeft nothing;
    Process server = server_at("8080", StartMethod::automatic);
    CHECK(error_of([&] { (void)connect_inside(server, "127.0.0.1:81"); }) ==
          "connect_inside '127.0.0.1:81': connect: Connection refused");
    CHECK(error_of([&] { (void)connect_inside(server, "192.0.2.1:81"); }) ==
          "connect_inside '192.0.2.1:81': connect: Network is unreachable");
    CHECK_THROWS_AS((void)connect_inside(server, "nowhere"), std::invalid_argument);
    server.kill();
    CHECK(error_of([&] {
              (void)connect_inside(server, "127.0.0.1:8080");
          }).find("No such process") != std::string::npos);
    CHECK_THROWS_AS((void)connect_inside(Process(), "127.0.0.1:8080"), std::logic_error);
}

TEST_CASE("an ordinary user cannot connect inside a program of somebody else") {
    if (geteuid() != 0) {
        SKIP_TEST("only root has programs of somebody else");
    }
    SKIP_WITHOUT_NAMESPACES();
    Process server = server_at("8080", StartMethod::automatic);
    Peer peer([&] {
        // The peer has a copy of the Process, and no right to the program.
        become_ordinary_user();
        expect(error_of([&] {
                   (void)connect_inside(server, "127.0.0.1:8080");
               }).find("Permission denied") != std::string::npos);
    });
    CHECK(peer.ending() == reached_the_end);
}

// The server's queue is full, and nobody accepts: a connection would wait for ever. The deadline is the only
// end, however late it is seen.
TEST_CASE("connect_inside ends at its deadline, and leaves nothing") {
    SKIP_WITHOUT_NAMESPACES();
    const NothingIsLeft nothing;
    const TemporaryDirectory directory;
    OpenDoor full;
    SyncedSpawner spawner(
        {.program = "sleep", .arguments = {"1000"}, .birth = {.namespaces = own_network}});
    spawner.step(map_own_id());
    spawner.step(door(
        {.name = "full", .address = directory / "door"},
        [&](OpenDoor opened) { full = std::move(opened); }, /*backlog=*/0));
    const Process process = spawner.spawn();
    const UniqueFd first = connect_inside(process, directory / "door");
    CHECK(error_of([&] { (void)connect_inside(process, directory / "door", 50ms); }) ==
          "connect_inside '" + directory / "door" + "': connect: Connection timed out");
}
