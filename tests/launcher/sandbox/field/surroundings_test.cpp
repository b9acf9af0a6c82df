#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "descendants.hpp"
#include "support/sandboxed.hpp"

// docs/what-fails-elsewhere.md: what an ordinary program counts on finding, on machines and in trees that are not quite
// ordinary.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

Policy with_landlock_alone(Policy policy) {
    policy.accept_weaker = {Guarantee::files, Guarantee::services, Guarantee::processes};
    return policy;
}

std::string output_of(const SyncedSpawner& spawner) {
    SpawnError error;
    Process process = spawner.spawn(error);
    return error ? error.what() : read_all(process.standard_output());
}

// By mounts, and by Landlock alone where there is that.
void expect_either_way(const std::string& script, const Policy& policy, const std::string& wanted,
                       int line = __builtin_LINE()) {
    expect_same(output_of(spawner_of(script, planned(policy))).c_str(), wanted.c_str(), line);
    const Machine machine = without_namespaces();
    if (machine.landlock) {
        const Sandbox sandbox(with_landlock_alone(policy), machine);
        expect_same(output_of(spawner_of(script, sandbox)).c_str(), wanted.c_str(), line);
    }
}

UniqueFd user_namespace_of(const std::string& process) {
    return UniqueFd(open(("/proc/" + process + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
}

ino_t inode_of(const UniqueFd& file) {
    struct stat about {};
    expect(fstat(file.get(), &about) == 0);
    return about.st_ino;
}

}  // namespace

TEST_CASE("one user namespace does all, and no second one is nested in it") {
    as_everybody([] {
        const UniqueFd own = user_namespace_of("self");
        for (const Policy& policy :
             {Policy{.network = Network::loopback, .privileges = {.user = 7, .group = 8}},
              Policy{.files = {.tree = Tree::host},
              .privileges = {.capabilities = {"CAP_NET_BIND_SERVICE"}},
              .host_name = "box"}}) {
            SyncedSpawner spawner({.program = "sleep", .arguments = {"1000"}});
            planned(policy).add_to(spawner);
            const Process process = spawner.spawn();
            const std::string program = std::to_string(program_of(process.pid()));
            const UniqueFd inside = user_namespace_of(program);
            expect(inode_of(inside) != inode_of(own));
            const UniqueFd above(ioctl(inside.get(), NS_GET_PARENT));
            expect(inode_of(above) == inode_of(own));
        }
    });
}

TEST_CASE("what is protected may be a link, lie behind one, or be a link to nowhere") {
    const Place place;
    const std::string src = place / "src";
    (void)place.made("src/real");
    (void)place.file_for_all("src/real/config");
    (void)place.file_for_all("outside");
    REQUIRE(symlink("real", (src + "/directory").c_str()) == 0);
    REQUIRE(symlink((place / "outside").c_str(), (src + "/file").c_str()) == 0);
    REQUIRE(symlink("nowhere", (src + "/dangling").c_str()) == 0);
    as_everybody([&] {
        expect_outcome(
            "cd " + src +
                "; can cat directory/config; can sh -c 'echo x >directory/config'; can "
                "sh -c 'echo x >real/config'; can mv real moved; can rm directory",
            {.files = {.writable = {src}, .protected_paths = {src + "/directory/config"}}},
            "yes\nno\nno\nno\nno\n");
        expect_outcome(
            "cd " + src +
                "; can cat file; can sh -c 'echo x >file'; can ln -sfn /tmp file; can rm "
                "file; can touch free; rm free",
            {.files = {.writable = {src},
                       .read_only = {place / "outside"},
                       .protected_paths = {src + "/file"}}},
            "yes\nno\nno\nno\nyes\n");
        expect_outcome("cd " + src +
                           "; can mkdir nowhere; can touch dangling; can rm dangling; can touch "
                           "free; rm free",
                       {.files = {.writable = {src}, .protected_paths = {src + "/dangling"}}},
                       "no\nno\nno\nyes\n");
    });
}

TEST_CASE("TMPDIR names a directory that is there, whatever the caller's names") {
    as_everybody([] {
        expect(setenv("TMPDIR", "/no/such/directory", 1) == 0);
        expect_either_way("test -d \"$TMPDIR\" && echo there; mktemp >/dev/null && echo made", {},
                          "there\nmade\n");
    });
}

TEST_CASE("the usual devices and files are there, whatever holds the policy") {
    as_everybody([] {
        expect_either_way(
            "echo x >/dev/null && echo null; head -c 3 /dev/zero | wc -c; "
            "head -c 4 /dev/urandom | wc -c; test \"$(cat /proc/self/comm)\" = cat && echo self; "
            "read line </dev/null || echo end; cat <<E\nhere\nE\n"
            // There is a terminal or there is none; it is not forbidden to ask.
            "setsid sh -c ': </dev/tty' 2>&1 | grep -o 'No such device or address'",
            {}, "null\n3\n4\nself\nend\nhere\nNo such device or address\n");
    });
}

TEST_CASE("a proxy of the launcher serves the program without a process between them") {
    as_everybody([] {
        OpenDoor proxy;
        const Sandbox sandbox = planned({.doors = {{"proxy", "127.0.0.1:3128"}}},
                                        [&](OpenDoor opened) { proxy = std::move(opened); });
        Process process =
            spawner_of(
                "exec perl -MSocket -e '"
                "socket(S, AF_INET, SOCK_STREAM, 0); "
                "connect(S, pack_sockaddr_in(3128, inet_aton(\"127.0.0.1\"))) or die; "
                "print scalar <S>; "
                "socket(T, AF_INET, SOCK_STREAM, 0); "
                "print connect(T, pack_sockaddr_in(80, inet_aton(\"192.0.2.1\"))) "
                "? \"connected\" : $!{ENETUNREACH} ? \"no way\" : \"$!\"'",
                sandbox)
                .spawn();
        const UniqueFd client(accept4(proxy.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        expect(static_cast<bool>(client));
        // The program waits for the answer: there is the reaper, and that.
        expect(Descendants(getpid()).count() == 2);
        expect(write(client.get(), "hello\n", 6) == 6);
        expect_same(read_all(process.standard_output()).c_str(), "hello\nno way");
        expect(process.wait().success());
    });
}
