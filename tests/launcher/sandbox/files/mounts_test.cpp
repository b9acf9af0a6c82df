#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <system_error>

#include "support/namespaces.hpp"
#include "support/ordinary_user.hpp"
#include "support/skip.hpp"
#include "tree.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::NewRoot;

TEST_CASE("an empty root has what the operations put there, and nothing else") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const Privileges privileges : all_privileges()) {
        for (const StartMethod method : start_methods()) {
            const Setting setting{.privileges = privileges, .method = method};
            CHECK(seen("ls /; cd / && pwd",
                       with_programs({Mount::tmpfs("/tmp"), Mount::directory("/a/b")}), {},
                       setting) ==
                  seen("for f in a bin lib lib32 lib64 tmp usr; do [ -e /$f ] && echo $f; done; "
                       "echo /",
                       with_programs({Mount::tmpfs("/tmp"), Mount::directory("/a/b")}), {},
                       setting));
        }
    }
}

TEST_CASE("the host's tree is read-only, without devices and set-user-ID bits, below it as well") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const HostStays host(directory.path());
    for (const Privileges privileges : all_privileges()) {
        for (const Operations& operations : {on_the_host({}), Operations{}}) {
            const MountOptions options{.root = operations.empty() ? NewRoot::host_tree
                                                                  : NewRoot::empty};
            const std::string text = seen(attributes_of("/") + attributes_of("/dev") + "touch " +
                                              (directory / "x") + "; cat /dev/null",
                                          operations, options, {.privileges = privileges});
            CAPTURE(text);
            CHECK(text.starts_with("ro,nosuid,nodev"));
            CHECK(contains(text, "\nro,nosuid,nodev"));
            CHECK(contains(text, "Read-only file system"));
            CHECK(contains(text, "/dev/null: Permission denied"));
        }
    }
}

TEST_CASE("no mount of the old root is left, and what was bound is there once") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const auto lines = [](const Operations& operations) {
        return seen("grep -c . /proc/self/mountinfo; grep -c ' / / ' /proc/self/mountinfo",
                    operations);
    };
    const std::string count = output_of(shell("grep -c . /proc/self/mountinfo"));
    CHECK(lines(on_the_host({})) == count + "1\n");
    CHECK(lines(with_programs({Mount::bind("/", "/")})) == count + "1\n");
    CHECK(lines({Mount::tmpfs("/"), Mount::bind("/", "/"), Mount::hide("/absent")}) ==
          count + "1\n");
}

TEST_CASE("a writable bind is written to, and a device bind opens devices") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    for (const Privileges privileges : all_privileges()) {
        CHECK(seen("echo hello >" + (directory / "x") + " && cat " + (directory / "x") +
                       "; echo >/dev/null && echo sunk; " + attributes_of("/dev"),
                   on_the_host({Mount::bind_writable(directory.path(), directory.path()),
                                Mount::bind_devices("/dev", "/dev")}),
                   {}, {.privileges = privileges}) == "hello\nsunk\nrw,nosuid,relatime\n");
    }
    CHECK(read_file(directory / "x") == "hello\n");
}

TEST_CASE(
    "a new proc shows the processes of the new pid namespace, and the kernel's files are out of "
    "reach") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const Privileges privileges : all_privileges()) {
        const std::string text = seen(
            "cd /proc && ls -d [0-9]*; echo x >sys/kernel/core_pattern; echo 7 >sys/vm/swappiness; "
            "wc -c <keys; ls -A scsi acpi; : >/proc/self/comm && echo own",
            on_the_host({Mount::proc("/proc")}), {}, {.privileges = privileges});
        CAPTURE(text);
        CHECK(text.starts_with("1\n"));
        CHECK(contains(text, "core_pattern: Read-only"));
        CHECK(contains(text, "swappiness: Read-only"));
        CHECK(contains(text, "own"));
        CHECK(seen("ls -l /proc/keys /proc/timer_list | cut -c 1-10",
                   on_the_host({Mount::proc("/proc")}), {},
                   {.privileges = privileges}) == "----------\n----------\n");
    }
}

TEST_CASE("a minimal device tree works, and its devices cannot be changed") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const Privileges privileges : all_privileges()) {
        const std::string text = seen(
            "ls -m /dev; echo x >/dev/null && head -c 2 /dev/zero | wc -c && head -c 1 /dev/zero "
            ">/dev/full; "
            "head -c 3 /dev/urandom | wc -c; echo a | cat /dev/stdin; chmod 0 /dev/null; "
            "touch /dev/shm/x && ls -ld /dev/shm | cut -c 1-10; ls /dev/pts; ls -l /dev/ptmx | "
            "sed 's/.*-> //'; exec 3<>/dev/ptmx && ls /dev/pts",
            on_the_host({Mount::proc("/proc"), Mount::devices("/dev")}), {},
            {.privileges = privileges});
        CAPTURE(text);
        CHECK(text.find("fd, full, null, ptmx, pts, random, shm, stderr, stdin, stdout, tty,") !=
              std::string::npos);
        CHECK(contains(text, "No space left"));
        CHECK(contains(text, "\n3\na\n"));
        CHECK(contains(text, "chmod: changing permissions of '/dev/null': Read-only file system"));
        CHECK(contains(text, "drwxrwxrwt"));
        CHECK(contains(text, "ptmx\npts/ptmx\n0\nptmx\n"));
    }
}

TEST_CASE("a tmpfs has its size and its mode") {
    SKIP_WITHOUT_USER_NAMESPACES();
    FileOperation small = Mount::tmpfs("/tmp");
    small.size = 65536;
    small.mode = 01770;
    CHECK(seen("stat -c %a /tmp; head -c 100000 /dev/zero >/tmp/x; wc -c </tmp/x; rm /tmp/x; " +
                   attributes_of("/tmp"),
               on_the_host({Mount::devices("/dev"), small})) ==
          "1770\nhead: error writing 'standard output': No space left on device\n65536\n"
          "rw,nosuid,nodev,relatime\n");
    CHECK(seen("stat -c %a /tmp", on_the_host({Mount::tmpfs("/tmp")})) == "755\n");
}

TEST_CASE("where links are refused, none is followed to a source or a destination") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    REQUIRE(output_of(shell("mkdir -p " + (directory / "a/b"))).empty());
    REQUIRE(symlink("a", (directory / "link").c_str()) == 0);
    const auto straight = [](FileOperation operation) {
        operation.path_links = sandbox::PathLinks::refused;
        return operation;
    };
    CHECK(seen("echo launched", on_the_host({straight(Mount::hide(directory / "a/b"))})) ==
          "launched\n");
    CHECK(seen("ls /b", with_programs({straight(Mount::bind(directory / "a/b", "/b"))})).empty());
    const std::string link = directory / "link/b";
    CHECK_THROWS_WITH_AS((void)sandbox::mounts({straight(Mount::bind(link, "/b"))}),
                         doctest::Contains("a symbolic link is on the way"), std::system_error);
    for (const FileOperation& operation :
         {Mount::hide(link), Mount::protect(link), Mount::tmpfs(link), Mount::bind("/usr", link)}) {
        const std::string text = seen("echo launched", on_the_host({straight(operation)}));
        CAPTURE(text);
        CHECK(contains(text, "openat2 (a symbolic link is on the way)"));
        CHECK(seen("echo launched", on_the_host({operation})) == "launched\n");
    }
}

TEST_CASE("what the host mounts after the launch does not appear inside") {
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [] {
        make_mounts_private("/");
        const TemporaryDirectory directory;
        const std::string place = directory / "place";
        const char* const path = directory.path().c_str();
        expect(mount("none", path, "tmpfs", 0, nullptr) == 0);
        expect(mount(nullptr, path, nullptr, MS_SHARED, nullptr) == 0);
        expect(mkdir(place.c_str(), 0755) == 0);
        SpawnOptions program = shell("echo ready; read line; ls " + place + "; echo end");
        program.birth.namespaces = Namespaces::user | Namespaces::mount;
        program.streams.input = Stdio::pipe();
        program.streams.output = Stdio::pipe();
        SyncedSpawner spawner(std::move(program));
        spawner.step(steps::map_root());
        spawner.step(sandbox::mounts(
            on_the_host({Mount::bind_writable(directory.path(), directory.path())})));
        Process process = spawner.spawn();
        expect(mount("none", place.c_str(), "tmpfs", 0, nullptr) == 0);
        expect(mkdir((place + "/late").c_str(), 0755) == 0);
        expect(write(process.standard_input(), "\n", 1) == 1);
        expect_same(read_all(process.standard_output()).c_str(), "ready\nend\n");
        expect(umount2(place.c_str(), MNT_DETACH) == 0 && umount2(path, MNT_DETACH) == 0);
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("later operations cover earlier ones") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    directory.file("who", "host\n", 0644);
    const auto last = [&](const Operations& operations) {
        return seen("ls /w", with_programs(operations));
    };
    CHECK(last({Mount::bind(directory.path(), "/w"), Mount::tmpfs("/w")}).empty());
    CHECK(last({Mount::tmpfs("/w"), Mount::bind(directory.path(), "/w")}) == "who\n");
    CHECK(seen("touch /w/x && echo w; touch /w/in/y; ls -R /w",
               with_programs({Mount::tmpfs("/w"), Mount::bind(directory.path(), "/w/in")})) ==
          "w\ntouch: cannot touch '/w/in/y': Read-only file system\n/w:\nin\nx\n\n/w/in:\nwho\n");
}

TEST_CASE("an ordinary user gets the same") {
    SKIP_WITHOUT_USER_NAMESPACES();
    Peer peer([] {
        become_ordinary_user();
        const std::string text = seen(
            "echo a >/tmp/a && cat /tmp/a; echo b >/b; ls -d /proc/[0-9]*; echo c >/dev/null && "
            "echo d",
            on_the_host({Mount::proc("/proc"), Mount::devices("/dev"), Mount::tmpfs("/tmp")}));
        expect_same(text.c_str(),
                    "a\n/bin/sh: 1: cannot create /b: Read-only file system\n/proc/1\nd\n");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("the working directory is the same path, or the root") {
    SKIP_WITHOUT_USER_NAMESPACES();
    CHECK(seen("[ \"$(pwd -P)\" = \"" + output_of(shell("pwd -P | tr -d '\\n'")) +
                   "\" ] && echo same",
               on_the_host({})) == "same\n");
    CHECK(seen("pwd -P", with_programs({})) == "/\n");
}

TEST_CASE("without a mount namespace of its own, the child leaves the host alone") {
    if (geteuid() != 0) {
        SKIP_TEST("only root could do harm");
    }
    const HostStays host("/mnt");
    SyncedSpawner spawner({.program = "true"});
    spawner.step(sandbox::mounts(on_the_host({})));
    CHECK(contains(failure_of(spawner).what(), "no mount namespace of its own (birth.namespaces)"));
}

TEST_CASE("without an id map the error says so") {
    SKIP_WITHOUT_USER_NAMESPACES();
    SyncedSpawner spawner(
        {.program = "true", .birth = {.namespaces = Namespaces::user | Namespaces::mount}});
    spawner.step(sandbox::mounts({Mount::tmpfs("/a")}));
    CHECK(contains(failure_of(spawner).what(), "ids are not mapped"));
}

TEST_CASE("a mount of the host on which no symbolic link is followed stays one") {
    if (geteuid() != 0) {
        SKIP_TEST("it takes a mount of the host's own");
    }
    const TemporaryDirectory directory;
    Peer peer = peer_in_namespaces(CLONE_NEWNS, [&] {
        constexpr unsigned long nosymfollow = 256;  // Linux 5.10
        make_mounts_private("/");
        expect(mount("none", directory.path().c_str(), "tmpfs", nosymfollow, nullptr) == 0);
        if (!contains(read_file("/proc/self/mountinfo"), "nosymfollow")) {
            leave_out_here("this kernel has no such mounts");
        }
        const Operations operations = on_the_host({Mount::bind(directory.path(), "/mnt")});
        expect_same(seen(attributes_of("/mnt"), operations).c_str(),
                    "ro,nosuid,nodev,relatime,nosymfollow\n");
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}
