#include <doctest/doctest.h>
#include <fcntl.h>

#include <string>

#include "support/skip.hpp"
#include "tree.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::BindAccess;
using sandbox::HostFiles;
using sandbox::LastLink;
using sandbox::MissingSource;

TEST_CASE("directories, links and files are made where the operations say") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const StartMethod method : start_methods()) {
        CHECK(
            seen("stat -c '%A %n' /d /d/e /d/secret /d/plain /deep /deep/er; cat /d/plain; "
                 "readlink /l",
                 with_programs({Mount::directory("/d", 01777), Mount::directory("/d"),
                                Mount::directory("/d/e", 0700), Mount::file("x", "/d/secret", 0600),
                                Mount::file("text\n", "/d/plain"), Mount::symlink("d/plain", "/l"),
                                Mount::symlink("d/plain", "/l"), Mount::tmpfs("/deep/er/tmp")}),
                 {}, {.method = method}) ==
            "drwxrwxrwt /d\ndrwx------ /d/e\n-rw------- /d/secret\n-rw-r--r-- /d/plain\n"
            "drwxr-xr-x /deep\ndrwxr-xr-x /deep/er\ntext\nd/plain\n");
    }
}

TEST_CASE("a mode is changed, of what is the sandbox's own") {
    SKIP_WITHOUT_USER_NAMESPACES();
    CHECK(seen("stat -c %a /d /f",
               with_programs({Mount::directory("/d"), Mount::file("", "/f"),
                              Mount::chmod(01700, "/d"), Mount::chmod(0, "/f")})) == "1700\n0\n");
    const TemporaryDirectory directory;
    const std::string file = directory.file("f", "", 0640);
    const Operations operations = on_the_host(
        {Mount::bind_writable(directory.path(), directory.path()), Mount::chmod(0600, file)});
    CHECK(contains(seen("true", operations), "chmod '" + file + "': it is a file of the host"));
    CHECK(seen("stat -c %a " + file, operations, {.host_files = HostFiles::may_change}) == "600\n");
}

TEST_CASE("data covers what is there, and is read-only or writable") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string file = directory.file("f", "host\n", 0644);
    const HostStays host(directory.path());
    for (const StartMethod method : start_methods()) {
        CHECK(seen("cat " + file + " && stat -c %a " + file + "; echo new >" + file,
                   on_the_host({Mount::data("inside\n", file)}), {},
                   {.method = method}) == "inside\n600\n/bin/sh: 1: cannot create " + file +
                                              ": Read-only file system\n[exited with code 2]");
        CHECK(seen("echo new >" + file + " && cat " + file + " /made",
                   with_programs({Mount::data("inside\n", file, BindAccess::writable, 0644),
                                  Mount::data("other\n", "/made")}),
                   {}, {.method = method}) == "new\nother\n");
    }
}

TEST_CASE("the text of a file may come from a descriptor") {
    const UniqueFd file(open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
    CHECK(contains(Mount::text_from(file.get()), "test_sandbox_operations"));
    CHECK_THROWS_AS((void)Mount::text_from(-1), std::system_error);
}

TEST_CASE("what is hidden is empty, and what is not there needs no cover") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string file = directory.file("f", "secret\n", 0644);
    const HostStays host(directory.path());
    for (const Privileges privileges : all_privileges()) {
        CHECK(seen("stat -c '%A %s' " + file + "; cat " + file + "; echo x >" + file + "; rm " +
                       file + "; mv " + directory.path() + " " + directory.path() + "-moved",
                   on_the_host({Mount::bind_writable(directory.path(), directory.path()),
                                Mount::hide(file), Mount::hide(directory / "absent")}),
                   {}, {.privileges = privileges}) ==
              "---------- 0\n/bin/sh: 1: cannot create " + file +
                  ": Read-only file system\nrm: cannot remove '" + file +
                  "': Device or resource busy\nmv: cannot move '" + directory.path() + "' to '" +
                  directory.path() + "-moved': Read-only file system\n[exited with code 1]");
        CHECK(seen("stat -c %A " + directory.path() + "; ls -A " + directory.path() + "; touch " +
                       directory.path() + "/x",
                   on_the_host({Mount::hide(directory.path())}), {}, {.privileges = privileges}) ==
              "d---------\ntouch: cannot touch '" + directory.path() +
                  "/x': Read-only file system\n[exited with code 1]");
    }
}

TEST_CASE("what is protected is read-only within what is writable, and stays in its place") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string file = directory.file("f", "kept\n", 0644);
    const std::string text =
        seen("cd " + directory.path() +
                 "; echo x >f; rm f; mv f g; cat f; touch free && rm free && echo free",
             on_the_host(
                 {Mount::bind_writable(directory.path(), directory.path()), Mount::protect(file)}));
    CHECK(text ==
          "/bin/sh: 1: cannot create f: Read-only file system\nrm: cannot remove 'f': Device or "
          "resource "
          "busy\nmv: cannot move 'f' to 'g': Device or resource busy\nkept\nfree\n");
}

TEST_CASE("a symbolic link is protected itself, if that was asked for") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string link = directory / "link";
    directory.file("target", "old\n", 0644);
    REQUIRE(symlink("target", link.c_str()) == 0);
    CHECK(
        seen(
            "cd " + directory.path() +
                "; rm link; mv link x; ln -sfn x link; echo new >link && cat target; readlink link",
            on_the_host({Mount::bind_writable(directory.path(), directory.path()),
                         Mount::protect(link, LastLink::itself)})) ==
        "rm: cannot remove 'link': Device or resource busy\n"
        "mv: cannot move 'link' to 'x': Device or resource busy\n"
        "ln: failed to create symbolic link 'link': Device or resource busy\nnew\ntarget\n");
    CHECK(read_file(link) == "new\n");
}

TEST_CASE("what is pinned stays in its place, and what is protected below it keeps its path") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    REQUIRE(output_of(shell("mkdir -p " + (directory / "a/b/c"))).empty());
    const Operations writable =
        on_the_host({Mount::bind_writable(directory.path(), directory.path())});
    const std::string attack =
        "cd " + directory.path() + "; mv a x && mkdir -p a/b/c && touch a/b/c/planted";
    Operations pinned = writable;
    for (const char* const name : {"a", "a/b"}) {
        pinned.push_back(Mount::pin(directory / name));
    }
    pinned.push_back(Mount::protect(directory / "a/b/c"));
    CHECK(seen(attack + "; touch a/free && rm a/free && touch a/b/c/x", pinned) ==
          "mv: cannot move 'a' to 'x': Device or resource busy\n"
          "touch: cannot touch 'a/b/c/x': Read-only file system\n[exited with code 1]");
    Operations loose = writable;
    loose.push_back(Mount::protect(directory / "a/b/c"));
    CHECK(seen(attack, loose).empty());
    CHECK(access((directory / "a/b/c/planted").c_str(), F_OK) == 0);
}

TEST_CASE("a mount becomes read-only, and those below it do not") {
    SKIP_WITHOUT_USER_NAMESPACES();
    CHECK(seen("touch /x; touch /t/x && echo below",
               with_programs({Mount::tmpfs("/t"), Mount::remount_read_only("/")})) ==
          "touch: cannot touch '/x': Read-only file system\nbelow\n");
}

TEST_CASE("message queues are those of the ipc namespace") {
    SKIP_WITHOUT_USER_NAMESPACES();
    CHECK(seen("touch /q/mine && ls /q; " + attributes_of("/q"),
               with_programs({Mount::mqueue("/q"), Mount::proc("/proc")}), {},
               {.more = Namespaces::pid | Namespaces::ipc}) ==
          "mine\nrw,nosuid,nodev,noexec,relatime\n");
}

TEST_CASE("a missing source that may be missing is left out, and known") {
    SKIP_WITHOUT_USER_NAMESPACES();
    Operations operations =
        with_programs({Mount::bind("/absent/a", "/a", MissingSource::skip),
                       Mount::bind_writable("/usr", "/b", MissingSource::skip)});
    CHECK(seen("for f in /a /b; do [ -e $f ] && echo $f; done", operations) == "/b\n");
    const Operations left_out = sandbox::take_missing(operations);
    CHECK(contains(seen("ls -d /b", operations), "/b"));
    bool is_known = false;
    for (const FileOperation& operation : left_out) {
        is_known = is_known || operation.source == "/absent/a";
    }
    CHECK(is_known);
    CHECK_THROWS_AS((void)sandbox::mounts({Mount::bind("/absent/a", "/a")}), std::system_error);
}

TEST_CASE("a source may be a descriptor") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string name = directory.file("f", "content\n", 0644);
    const UniqueFd file(open(name.c_str(), O_PATH | O_CLOEXEC));
    CHECK(seen("cat /f", with_programs({Mount::bind(file.get(), "/f")})) == "content\n");
    REQUIRE(unlink(name.c_str()) == 0);
    CHECK_THROWS((void)sandbox::mounts({Mount::bind(file.get(), "/f")}));
}
