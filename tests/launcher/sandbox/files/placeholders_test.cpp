#include "launcher/sandbox/files/placeholders.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"

using namespace syncspawn::testing;
using syncspawn::sandbox::Placeholders;

namespace {

bool is_link(const std::string& path) {
    struct stat about {};
    return lstat(path.c_str(), &about) == 0 && S_ISLNK(about.st_mode);
}

bool is_gone(const std::string& path) {
    struct stat about {};
    return lstat(path.c_str(), &about) < 0 && errno == ENOENT;
}

}  // namespace

TEST_CASE("a placeholder looks like nothing, cannot become something, and goes") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    {
        Placeholders placeholders;
        placeholders.place(path);
        CHECK(is_link(path));
        CHECK(access(path.c_str(), F_OK) < 0);
        CHECK(errno == ENOENT);
        CHECK(mkdir(path.c_str(), 0700) < 0);
        CHECK(output_of(syncspawn::testing::shell("(echo x >" + path + ") 2>/dev/null; true"))
                  .empty());
        CHECK(is_link(path));
    }
    CHECK(is_gone(path));
}

TEST_CASE("what is there stays, and so does what has taken the place since") {
    const TemporaryDirectory directory;
    const std::string there = directory.file("there", "kept\n", 0644);
    const std::string taken = directory / "taken";
    Placeholders placeholders;
    placeholders.place(there);
    placeholders.place(taken);
    REQUIRE(unlink(taken.c_str()) == 0);
    directory.file("taken", "new\n", 0644);
    placeholders.remove();
    CHECK(read_file(there) == "kept\n");
    CHECK(read_file(taken) == "new\n");
}

TEST_CASE("the last of several removes it, in whatever process") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    Placeholders first;
    first.place(path);
    {
        Placeholders second;
        second.place(path);
        first.remove();
        CHECK(is_link(path));
    }
    CHECK(is_gone(path));
    first.place(path);
    Peer peer([&] {
        Placeholders other;
        other.place(path);
        other.remove();
        expect(is_link(path));
    });
    CHECK(peer.ending() == reached_the_end);
    first.remove();
    CHECK(is_gone(path));
}

TEST_CASE("what a killed process has left is removed, and nothing that is needed") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    Peer peer([&] {
        static Placeholders left;
        left.place(path);
        raise(SIGKILL);
    });
    (void)peer.wait_status();
    Placeholders needed;
    needed.place(directory / "needed");
    REQUIRE(is_link(path));
    Placeholders::remove_abandoned();
    CHECK(is_gone(path));
    CHECK(is_link(directory / "needed"));
}

TEST_CASE("a directory that is not there, or behind a link, is an error") {
    const TemporaryDirectory directory;
    REQUIRE(symlink(".", (directory / "link").c_str()) == 0);
    Placeholders placeholders;
    CHECK_THROWS_AS(placeholders.place(directory / "nowhere/x"), std::system_error);
    CHECK_THROWS_AS(placeholders.place(directory / "link/x"), std::system_error);
    CHECK(is_gone(directory / "x"));
}
