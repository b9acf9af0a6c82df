#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "launcher/sandbox/files/plan.hpp"
#include "support/namespaces.hpp"
#include "tree.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// That "/" stays the root, with attributes, and is not cloned and entered.
bool may_keep_root(const Operations& operations) {
    return sandbox::MountStorage(operations, {}).plan().may_keep_root;
}

}  // namespace

TEST_CASE("a source that an earlier operation covers is still the host's") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory from;
    const TemporaryDirectory to;
    REQUIRE(mkdir((from / "shown").c_str(), 0755) == 0);
    const HostStays host(to.path());
    for (const Privileges privileges : all_privileges()) {
        const Operations operations =
            on_the_host({Mount::tmpfs(from.path()), Mount::bind_writable(from / "shown", to.path()),
                         Mount::bind("/etc", from / "etc"), Mount::hide(from / "etc")});
        CHECK(may_keep_root(operations));
        const std::string text = seen("echo hello >" + (to / "f") + "; rm " + (to / "f") + "; ls " +
                                          from.path() + "; ls " + to.path() + "; ls -d /etc/passwd",
                                      operations, {}, {.privileges = privileges});
        CHECK(text == "etc\n/etc/passwd\n");
    }
}

TEST_CASE("the root is kept unless somebody might tell the difference") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    REQUIRE(symlink("/etc", (directory / "link").c_str()) == 0);
    CHECK(may_keep_root(on_the_host({Mount::proc("/proc"), Mount::hide("/etc")})));
    CHECK_FALSE(may_keep_root(with_programs({})));
    CHECK_FALSE(may_keep_root(on_the_host({Mount::bind("/", "/mnt")})));
    CHECK_FALSE(may_keep_root(on_the_host({Mount::tmpfs("/")})));
    CHECK_FALSE(may_keep_root(on_the_host({Mount::temporary_overlay({"/etc"}, "/etc")})));
    // Below what would the covers lie?
    CHECK_FALSE(may_keep_root(on_the_host({Mount::hide("/etc"), Mount::proc("/proc")})));
    // Who knows what that covers?
    CHECK_FALSE(may_keep_root(on_the_host({Mount::tmpfs(directory / "link")})));
    CHECK_FALSE(may_keep_root(on_the_host({Mount::tmpfs(directory / "link/new")})));
    // A new link matters to what is below it.
    CHECK(may_keep_root(
        on_the_host({Mount::devices("/dev"), Mount::symlink("/proc/kcore", "/dev/core"),
                     Mount::tmpfs("/tmp")})));
    CHECK_FALSE(may_keep_root(on_the_host(
        {Mount::tmpfs("/tmp"), Mount::symlink("/etc", "/tmp/l"), Mount::tmpfs("/tmp/l/below")})));
    CHECK_FALSE(may_keep_root(on_the_host(
        {Mount::tmpfs("/tmp"), Mount::symlink("/etc", "/tmp/l"), Mount::tmpfs("/tmp/l")})));
    const Operations many(33, Mount::bind_writable(directory.path(), directory.path()));
    CHECK_FALSE(may_keep_root(on_the_host(many)));
    CHECK(may_keep_root(on_the_host({many.begin(), many.end() - 1})));
}

TEST_CASE("a program with few descriptors is launched, too") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const Operations many(32, Mount::bind_writable(directory.path(), directory.path()));
    const Operations operations = on_the_host(many);
    Peer peer([&] {
        constexpr rlim_t few = 64;
        constexpr rlimit limit{few, few};
        expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        expect_same(seen("echo launched", operations).c_str(), "launched\n");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("in a chroot the root is not kept") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [&] {
        make_mounts_private("/");
        const char* const root = directory.path().c_str();
        expect(mount("/", root, nullptr, MS_BIND | MS_REC, nullptr) == 0);
        expect(chroot(root) == 0 && chdir("/") == 0);
        expect(!may_keep_root(on_the_host({})));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("in a chroot within the same mount the root is not kept, though it was before") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [&] {
        make_mounts_private("/");
        const char* const root = directory.path().c_str();
        expect(mount("/", root, nullptr, MS_BIND | MS_REC, nullptr) == 0);
        expect(chdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0);
        expect(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
        expect(may_keep_root(on_the_host({})));
        expect(chroot("/etc") == 0 && chdir("/") == 0);
        expect(!may_keep_root(on_the_host({})));
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
