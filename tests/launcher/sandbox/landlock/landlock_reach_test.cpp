#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>

#include "scene.hpp"
#include "support/loopback_server.hpp"
#include "support/ordinary_user.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::LandlockRules;
using sandbox::LandlockScopes;
using sandbox::TcpPorts;

namespace {

// Version 6, Linux 6.12.
#define SKIP_WITHOUT_SCOPES()                                     \
    if (sandbox::landlock_version() < 6) {                        \
        SKIP_TEST("this kernel has no Landlock of that version"); \
    }

void expect_outcome(const Attempt& attempt, const LandlockRules& rules, int error) {
    expect_same(outcome_of(attempt, held_to(rules)), error);
}

// As this user, and as an ordinary one.
template <class Body>
void as_both(Body body) {
    Peer own([&] { body(); });
    CHECK(own.ending() == reached_the_end);
    Peer ordinary([&] {
        become_ordinary_user();
        body();
    });
    CHECK(ordinary.ending() == reached_the_end);
}

}  // namespace

TEST_CASE("the program connects to the TCP ports that are named") {
    SKIP_WITHOUT_SCOPES();
    const LoopbackServer named;
    const LoopbackServer other;
    as_both([&] {
        const Attempt to_named{"connect", std::to_string(named.port())};
        const Attempt to_other{"connect", std::to_string(other.port())};
        expect_same(outcome_of(to_other, {}), 0);
        expect_outcome(to_other, {.connect_ports = TcpPorts{named.port()}}, EACCES);
        expect_outcome(to_named, {.connect_ports = TcpPorts{named.port()}}, 0);
        expect_outcome(to_named, {.connect_ports = TcpPorts{}}, EACCES);
        expect_outcome(to_named, {.bind_ports = TcpPorts{}}, 0);
    });
}

TEST_CASE("the program binds the TCP ports that are named") {
    SKIP_WITHOUT_SCOPES();
    as_both([] {
        const Attempt any{"bind", "0"};
        expect_same(outcome_of(any, {}), 0);
        expect_outcome(any, {.bind_ports = TcpPorts{}}, EACCES);
        expect_outcome(any, {.bind_ports = TcpPorts{0}}, 0);
        expect_outcome(any, {.bind_ports = TcpPorts{443}}, EACCES);
        expect_outcome(any, {.connect_ports = TcpPorts{}}, 0);
    });
}

TEST_CASE("abstract sockets of others are out of reach") {
    SKIP_WITHOUT_SCOPES();
    const std::string name = "syncspawn-test-" + std::to_string(getpid());
    const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())) == 0);
    REQUIRE(listen(listener.get(), 16) == 0);
    as_both([&] {
        const Attempt attempt{"connect_abstract", name};
        expect_same(outcome_of(attempt, {}), 0);
        expect_outcome(attempt, {.scopes = LandlockScopes::abstract_sockets}, EPERM);
        expect_outcome(attempt, {.scopes = LandlockScopes::signals}, 0);
    });
}

TEST_CASE("the launcher is out of the reach of signals") {
    SKIP_WITHOUT_SCOPES();
    as_both([] {
        const Attempt attempt{"signal", std::to_string(getpid())};
        expect_same(outcome_of(attempt, {}), 0);
        expect_outcome(attempt, {.scopes = LandlockScopes::signals}, EPERM);
        expect_outcome(attempt, {.scopes = LandlockScopes::abstract_sockets}, 0);
    });
}
