#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/sandbox/absent_paths.hpp>

#include "support/nothing_is_left.hpp"
#include "support/ordinary_user.hpp"
#include "support/skip.hpp"
#include "tree.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using sandbox::LastLink;
using sandbox::MissingSource;

namespace {

SyncedSpawner spawner_without(const TemporaryDirectory& directory, const std::string& name,
                              std::string text, StartMethod method = {}) {
    FileOperation protect = Mount::protect(directory / name, LastLink::itself);
    protect.missing_source = MissingSource::skip;
    SyncedSpawner spawner =
        spawner_of("cd " + directory.path() + "; " + std::move(text),
                   on_the_host({Mount::devices("/dev"),
                                Mount::bind_writable(directory.path(), directory.path()), protect}),
                   {}, {.method = method});
    spawner.step(sandbox::keep_absent({directory / name}));
    return spawner;
}

const std::string all_attacks =
    "for attack in 'mkdir .git' 'mkdir -p .git/hooks' 'ln -s x .git' 'rm -f .git' 'mv .git x' "
    "'ln -sfn /tmp .git' 'touch .git/x' 'cp /etc/passwd .git' 'mkdir x && mv -T x .git'; "
    "do (eval $attack) 2>/dev/null && echo \"$attack\"; rm -rf x; done; [ -e .git ] && echo there";

}  // namespace

TEST_CASE("an absent path stays absent, inside and afterwards") {
    SKIP_WITHOUT_USER_NAMESPACES();
    for (const StartMethod method : start_methods()) {
        const TemporaryDirectory directory;
        const SyncedSpawner spawner =
            spawner_without(directory, ".git", all_attacks + "; touch free && ls -A", method);
        seen_by(spawner);  // after which the guardian's program is kept
        const NothingIsLeft nothing;
        for (int launch = 0; launch < 2; ++launch) {
            CHECK(seen_by(spawner) == ".git\nfree\n");
            CHECK(output_of(shell("ls -A " + directory.path())) == "free\n");
        }
    }
}

TEST_CASE("without that, the same attacks succeed") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const std::string text =
        seen("cd " + directory.path() + "; " + all_attacks,
             on_the_host({Mount::devices("/dev"),
                          Mount::bind_writable(directory.path(), directory.path())}));
    CHECK(text.starts_with("mkdir .git\n"));
    CHECK(text.ends_with("there\n"));
}

TEST_CASE("what has come to be before the launch is protected as it is") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    const SyncedSpawner spawner =
        spawner_without(directory, ".git", "ls .git; touch .git/x; rm -r .git");
    REQUIRE(
        output_of(shell("mkdir " + (directory / ".git") + " && touch " + (directory / ".git/kept")))
            .empty());
    const std::string text = seen_by(spawner);
    CAPTURE(text);
    CHECK(text.starts_with("kept\ntouch: cannot touch '.git/x': Read-only file system\n"));
    CHECK(output_of(shell("ls -A " + directory.path() + "/.git")) == "kept\n");
}

TEST_CASE("a launch that fails leaves nothing") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    SyncedSpawner spawner = spawner_without(directory, ".git", "true");
    spawner.step(
        {.name = "late", .parent = [](ParentSide& side) { return side.fail(EIO, "late"); }});
    CHECK(failure_of(spawner).code() == std::errc::io_error);
    CHECK(output_of(shell("ls -A " + directory.path())).empty());
}

TEST_CASE("what this user cannot make needs no placeholder") {
    SKIP_WITHOUT_USER_NAMESPACES();
    const TemporaryDirectory directory;
    REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
    if (geteuid() != 0) {
        SKIP_TEST("the directory must be somebody else's");
    }
    Peer peer([&] {
        become_ordinary_user();
        expect(setenv("XDG_RUNTIME_DIR", "/nowhere", 1) == 0 && unsetenv("XDG_RUNTIME_DIR") == 0);
        const std::string text = seen_by(spawner_without(directory, ".git", "mkdir .git; ls -A"));
        expect(contains(text, "Permission denied"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a directory of this user that is not writable now is an error") {
    Peer peer([] {
        become_ordinary_user();
        expect(unsetenv("XDG_RUNTIME_DIR") == 0);
        const TemporaryDirectory directory;
        SyncedSpawner spawner({.program = "true"});
        spawner.step(sandbox::keep_absent({directory / ".git"}));
        expect(chmod(directory.path().c_str(), 0555) == 0);
        expect(contains(failure_of(spawner).what(), "/.git': Permission denied"));
        expect(chmod(directory.path().c_str(), 0755) == 0);
        expect(spawner.spawn().wait().success());
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a path without a name is misuse") {
    for (const char* const path : {"", "relative", "/", "/a/..", "/a/."}) {
        CHECK_THROWS_AS((void)sandbox::keep_absent({path}), std::invalid_argument);
    }
}
