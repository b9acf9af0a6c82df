#include "launcher/sandbox/files/placeholders.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "on_the_host.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"

using namespace syncspawn::testing;
using syncspawn::sandbox::Placeholders;

TEST_CASE("a placeholder looks like nothing, cannot become something, and goes") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    {
        Placeholders placeholders;
        placeholders.place({path});
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
    placeholders.place({there, taken});
    REQUIRE(unlink(taken.c_str()) == 0);
    directory.file("taken", "new\n", 0644);
    placeholders.remove();
    CHECK(read_file(there) == "kept\n");
    CHECK(read_file(taken) == "new\n");
}

TEST_CASE("the last of several removes it, in whatever process") {
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    {
        Placeholders second;
        {
            Placeholders first;
            first.place({path});
            second.place({path});
        }
        CHECK(is_link(path));
    }
    CHECK(is_gone(path));
    Placeholders first;
    first.place({path});
    Peer peer([&] {
        Placeholders other;
        other.place({path});
        other.remove();
        expect(is_link(path));
    });
    CHECK(peer.ending() == reached_the_end);
    first.remove();
    CHECK(is_gone(path));
}

TEST_CASE("what another user's sandbox has placed is neither used nor removed") {
    if (geteuid() != 0) {
        SKIP_TEST("it takes root to be two users");
    }
    const TemporaryDirectory directory;
    const std::string path = directory / "absent";
    REQUIRE(chmod(directory.path().c_str(), 0777) == 0);
    Placeholders placeholders;
    placeholders.place({path});
    Peer other([&] {
        become_ordinary_user();
        Placeholders refused;
        try {
            refused.place({directory / "own", path});
            expect(false);
        } catch (const std::system_error& error) {
            expect(error.code() == std::errc::device_or_resource_busy);
        }
        refused.remove();
        Placeholders::remove_abandoned();
        expect(is_gone(directory / "own"));
    });
    CHECK(other.ending() == reached_the_end);
    CHECK(is_link(path));
}

TEST_CASE("a pipe in the registry keeps nobody waiting") {
    const std::string pipe = Placeholders::open_registry().path() + "/1-2-3";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    Placeholders::remove_abandoned();
    CHECK(access(pipe.c_str(), F_OK) < 0);
}

TEST_CASE("what is needed is not taken for abandoned") {
    const TemporaryDirectory directory;
    Placeholders needed;
    needed.place({directory / "needed"});
    Placeholders::remove_abandoned();
    CHECK(is_link(directory / "needed"));
}

TEST_CASE("several in one directory take no more descriptors than one") {
    const TemporaryDirectory directory;
    const auto descriptors_of = [&](std::vector<std::string> names) {
        const auto before = open_descriptors().size();
        Placeholders placeholders;
        for (std::string& name : names) {
            name = directory / name;
        }
        placeholders.place(names);
        return open_descriptors().size() - before;
    };
    descriptors_of({"a"});  // the guardian's program is kept
    const auto of_one = descriptors_of({"a"});
    CHECK(descriptors_of({"a", "b", "c", "d", "e", "f", "g"}) == of_one);
}

TEST_CASE("a directory that is not there, or behind a link, is an error") {
    const TemporaryDirectory directory;
    REQUIRE(symlink(".", (directory / "link").c_str()) == 0);
    Placeholders placeholders;
    CHECK_THROWS_AS(placeholders.place({directory / "nowhere/x"}), std::system_error);
    CHECK_THROWS_AS(placeholders.place({directory / "link/x"}), std::system_error);
    CHECK(is_gone(directory / "x"));
}
