#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstdio>
#include <string>
#include <thread>

#include "support/namespaces.hpp"
#include "support/nothing_is_left.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"
#include "support/steps.hpp"
#include "tree.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::RefusedProc;

TEST_CASE("symbolic links of a bound tree lead no mount out of the new root") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    REQUIRE(symlink("/inner", (directory / "absolute").c_str()) == 0);
    REQUIRE(symlink("../../../../../../inner", (directory / "upwards").c_str()) == 0);
    REQUIRE(symlink("/nowhere", (directory / "dangling").c_str()) == 0);
    const HostStays host(directory.path());
    for (const Privileges privileges : all_privileges()) {
        for (const char* const link : {"/w/absolute", "/w/upwards"}) {
            CHECK(seen("echo x >/inner/x && ls " + std::string(link),
                       with_programs({Mount::directory("/inner"),
                                      Mount::bind(directory.path(), "/w"), Mount::tmpfs(link)}),
                       {}, {.privileges = privileges}) == "x\n");
        }
        CHECK(contains(seen("true", with_programs({Mount::bind(directory.path(), "/w"),
                                                   Mount::tmpfs("/w/dangling")})),
                       "tmpfs '/w/dangling': it is not there, and would have to be made in a tree "
                       "of the host"));
        CHECK(contains(
            seen("true", with_programs({Mount::symlink("/nowhere", "/l"), Mount::tmpfs("/l/x")})),
            "tmpfs '/l/x': a symbolic link on the way leads nowhere"));
    }
}

TEST_CASE("links of a proc are no way to a destination") {
    SKIP_WITHOUT_USER_NAMESPACES();
    CHECK(contains(
        seen("true", on_the_host({Mount::proc("/proc"), Mount::tmpfs("/proc/self/root/tmp")})),
        "tmpfs '/proc/self/root/tmp': openat2: too many"));
}

TEST_CASE("a source that was exchanged is not bound") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string source = directory / "source";
    REQUIRE(mkdir(source.c_str(), 0755) == 0);
    const Operations operations = with_programs({Mount::bind(source, "/w")});
    const SyncedSpawner spawner = spawner_of("ls /w", operations);
    CHECK(seen_by(spawner).empty());
    const auto is_refused = [&] {
        const SpawnError error = failure_of(spawner);
        CHECK(contains(error.what(), "on '/w': the source has changed"));
        CHECK(error.code() == std::error_code(ESTALE, std::generic_category()));
    };
    // Another directory, which may well have the number of the old one.
    REQUIRE(rmdir(source.c_str()) == 0);
    is_refused();
    REQUIRE(mkdir(source.c_str(), 0755) == 0);
    is_refused();
    REQUIRE(rmdir(source.c_str()) == 0);
    REQUIRE(symlink("/etc", source.c_str()) == 0);
    is_refused();
    // Even a link to the very same.
    const SyncedSpawner other =
        spawner_of("true", with_programs({Mount::bind(directory.path(), "/w")}));
    const std::string moved = directory.path() + ".moved";
    REQUIRE(std::rename(directory.path().c_str(), moved.c_str()) == 0);
    REQUIRE(symlink(moved.c_str(), directory.path().c_str()) == 0);
    CHECK(contains(failure_of(other).what(), "the source has changed"));
    REQUIRE(unlink(directory.path().c_str()) == 0);
    REQUIRE(std::rename(moved.c_str(), directory.path().c_str()) == 0);
}

TEST_CASE("every operation that fails says which one it was") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string file = directory.file("f", "", 0644);
    const HostStays host(directory.path());
    const NothingIsLeft nothing;
    const std::string& here = directory.path();
    const struct {
        FileOperation operation;
        std::string error;
    } cases[]{
        {Mount::bind("/usr", "/f"), "bind '/usr' on '/f': move_mount: one is a directory"},
        {Mount::bind_writable(file, "/usr"), "on '/usr': move_mount: one is a directory"},
        {Mount::bind_devices("/usr", "/f/x"), "bind devices '/usr' on '/f/x': "},
        {Mount::tmpfs("/h/new"), "tmpfs '/h/new': it is not there, and would have to be made"},
        {Mount::proc("/f"), "proc '/f': move_mount"},
        {Mount::devices("/h/dev"), "devices '/h/dev': it is not there"},
        {Mount::mqueue("/f"), "mqueue '/f': fsconfig: it takes an ipc namespace of its own"},
        {Mount::overlay({here}, "/proc", "/sys", "/o"), "overlay '/o': "},
        {Mount::directory("/f"), "directory '/f': something else is there"},
        {Mount::symlink("x", "/f"), "symlink '/f': something else is there"},
        {Mount::file("", "/f"), "file '/f': make the file: file exists"},
        {Mount::file("", "/h/g"), "file '/h/g': it is not there, and would have to be made"},
        {Mount::data("", "/usr"), "data '/usr': move_mount: one is a directory"},
        {Mount::chmod(0, "/absent"), "chmod '/absent': openat2"},
        {Mount::remount_read_only("/f"), "remount read-only '/f': it is no mount point"},
        {Mount::hide("/loop"), "hide '/loop': openat2: too many"},
        {Mount::protect("/absent"), "protect '/absent': openat2: no such file"},
    };
    for (const auto& [operation, error] : cases) {
        for (const StartMethod method : start_methods()) {
            const std::string text =
                seen("true",
                     with_programs({Mount::file("", "/f"), Mount::symlink("loop", "/loop"),
                                    Mount::bind_writable(here, "/h"), operation}),
                     {}, {.method = method});
            CAPTURE(text);
            CHECK(text.starts_with("mounts in the child: "));
            CHECK(contains(text, by_the_calls_here(error)));
        }
    }
}

TEST_CASE("operations that make no sense are misuse") {
    const auto is_refused = [](const FileOperation& operation) {
        CHECK_THROWS_AS((void)sandbox::mounts({operation}), std::invalid_argument);
    };
    FileOperation empty = Mount::tmpfs("/t");
    empty.size = 0;
    FileOperation vast = Mount::tmpfs("/t");
    vast.size = UINT64_MAX;
    for (const FileOperation& operation :
         {Mount::tmpfs(""), Mount::tmpfs("relative"), Mount::tmpfs("/a/../b"), Mount::hide("/"),
          Mount::proc("/"), Mount::directory("/d", 010000), empty, vast, Mount::bind("", "/x"),
          Mount::read_only_overlay({"/usr"}, "/o"), Mount::temporary_overlay({}, "/o"),
          Mount::overlay({"/usr"}, "/upper", "", "/o"), Mount::tmpfs(std::string(5000, 'x'))}) {
        is_refused(operation);
    }
    CHECK_THROWS_WITH_AS((void)sandbox::mounts({Mount::bind("/absent", "/x")}),
                         doctest::Contains("bind '/absent' on '/x': '/absent'"), std::system_error);
}

TEST_CASE("hundreds of binds are one launch") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const HostStays host(directory.path());
    Operations operations = with_programs({Mount::proc("/proc")});
    const int count = has_older_calls_alone ? 100 : 500;  // each reads the list of all mounts there
    for (int number = 0; number < count; ++number) {
        operations.push_back(Mount::bind(directory.path(), "/binds/" + std::to_string(number)));
    }
    const NothingIsLeft nothing;
    CHECK(seen("grep -c ' /binds/' /proc/self/mountinfo", operations) ==
          std::to_string(count) + "\n");
}

TEST_CASE("launches of one spawner at the same time do not disturb each other") {
    SKIP_WITHOUT_USER_NAMESPACES();
    if (syncspawn::detail::is_thread_sanitized()) {
        SKIP_TEST("the sanitizer takes a child that is cloned among threads for one of them");
    }
    const SyncedSpawner spawner = spawner_of(
        "echo x >/t/x && cat /t/x /d && ls /t",
        with_programs({Mount::tmpfs("/t"), Mount::data("d\n", "/d"), Mount::proc("/proc")}));
    constexpr std::size_t count = 6;
    std::vector<std::string> results(count);
    std::vector<std::thread> threads;
    for (std::string& result : results) {
        threads.emplace_back([&] { result = seen_by(spawner); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(results == std::vector<std::string>(count, "x\nd\nx\n"));
}

TEST_CASE("what the kernel has locked stays as it is") {
    // A user namespace may not make writable what was read-only when it was made.
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        make_mounts_private("/");
        const TemporaryDirectory directory;
        const std::string file = directory.file("f", "", 0666);
        expect(mount("none", directory.path().c_str(), "tmpfs", 0, nullptr) == 0);
        expect(mount(nullptr, directory.path().c_str(), nullptr,
                     MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC, nullptr) == 0);
        const std::string text = seen(
            attributes_of("/w") + "touch /w/x; umount /w/..; umount " + directory.path(),
            with_programs({Mount::proc("/proc"), Mount::bind_writable(directory.path(), "/w")}));
        if (contains(text, "start the child") || contains(text, "id maps")) {
            leave_out_here("a user namespace in this one is forbidden");
        }
        expect(
            text.starts_with("ro,nosuid,nodev,noexec,relatime\ntouch: cannot touch '/w/x': "
                             "Read-only file system\n"));
        expect(umount(directory.path().c_str()) == 0);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("mounts below a source get its attributes, whatever their names, and what covers them") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        make_mounts_private("/");
        const TemporaryDirectory directory;
        for (const char* const name :
             {"/a b", "/back\\slash", "/a b/deep", "/a b", "/a b/deeper"}) {
            const std::string path = directory.path() + name;
            expect(mkdir(path.c_str(), 0755) == 0 || errno == EEXIST);
            expect(mount("none", path.c_str(), "tmpfs", 0, "mode=0755") == 0);
        }
        const std::string text = seen(
            "cd /w; touch x 'a b/x' 'back\\slash/x' 'a b/deeper/x' 2>/dev/null; "
            "ls -d x */x */*/x 2>/dev/null; grep -c ' /w/.* ro,nosuid,nodev' "
            "/proc/self/mountinfo",
            with_programs({Mount::devices("/dev"), Mount::proc("/proc"),
                           Mount::bind(directory.path(), "/w")}));
        if (contains(text, "start the child") || contains(text, "id maps")) {
            leave_out_here("a user namespace in this one is forbidden");
        }
        // By older calls those that are covered keep what they had.
        expect_same(text.c_str(), has_older_calls_alone ? "3\n" : "5\n");
        for (int mounts = 5; mounts > 0; --mounts) {
            for (const char* const name : {"/a b/deeper", "/a b/deep", "/a b", "/back\\slash"}) {
                (void)umount((directory.path() + name).c_str());
            }
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("where the root cannot be moved, the new one lies on top of it") {
    SKIP_WITHOUT_USER_NAMESPACES();
    Peer peer([] {
        refuse_system_calls({SYS_pivot_root}, EINVAL);  // as the initial file system does
        const std::string text = seen(
            "cd /../.. && ls -d usr work; ls -d /t/..; pwd; grep -c ' / / ' /proc/self/mountinfo",
            {Mount::tmpfs("/"), Mount::bind("/usr", "/usr"), Mount::bind("/bin", "/bin"),
             Mount::bind("/lib", "/lib"), Mount::bind("/lib64", "/lib64"), Mount::tmpfs("/t"),
             Mount::proc("/proc"), Mount::hide("/t")});
        expect_same(text.c_str(),
                    "ls: cannot access 'work': No such file or directory\nusr\n/t/..\n/\n1\n");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where a filter refuses the newer calls, older ones do the same") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const long call : {SYS_openat2, SYS_open_tree, SYS_move_mount, SYS_mount_setattr,
                            SYS_fsopen, SYS_fsconfig, SYS_fsmount}) {
        Peer peer([call] {
            refuse_system_calls({call}, EPERM);
            expect_same(seen("echo x >/tmp/x && ls /tmp; touch /usr/x 2>/dev/null || echo no",
                             on_the_host({Mount::tmpfs("/tmp"), Mount::devices("/dev")}))
                            .c_str(),
                        "x\nno\n");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("where mount(2) is refused, too, the error says so") {
    SKIP_WITHOUT_USER_NAMESPACES();
    Peer peer([] {
        refuse_system_calls({SYS_mount, SYS_mount_setattr}, ENOSYS);
        expect(contains(seen("true", on_the_host({})), "(this kernel, or a filter, has no such"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("where a new proc is refused, the old one is bound if that was asked for") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        make_mounts_private("/proc");
        expect(mount("none", "/proc/fs", "tmpfs", 0, nullptr) == 0);
        const std::string error = seen("true", on_the_host({Mount::proc("/proc")}));
        if (contains(error, "start the child") || contains(error, "id maps")) {
            leave_out_here("a user namespace in this one is forbidden");
        }
        expect(contains(error, by_the_calls_here(
                                   "proc '/proc': fsmount: a new one takes an own pid namespace")));
        expect(contains(error, "operation not permitted"));
        const std::string text =
            seen("test -e /proc/cmdline && echo x >/proc/sys/kernel/hostname; wc -c </proc/keys",
                 on_the_host({Mount::proc("/proc", RefusedProc::bind_existing)}));
        expect_same(
            text.c_str(),
            "/bin/sh: 1: cannot create /proc/sys/kernel/hostname: Read-only file system\n0\n");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
