#include "launcher/child/exec_search.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/shared.hpp"

// Which of the directories in PATH has the program, as execvp(3) finds it, and a program that somebody has
// open for writing.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

SpawnOptions searched_along(const std::string& path, const std::string& program = "true") {
    SpawnOptions options{.program = program};
    options.environment.set("PATH", path);
    return options;
}

std::string refusal_along(const std::string& path, const std::string& program = "true") {
    const std::string begin = "execve '" + program + "' in the child: ";
    const std::string text = failure_of(searched_along(path, program)).what();
    return text.starts_with(begin) ? text.substr(begin.size()) : text;
}

// In a peer. Returns the error.
int execute_true(const char* path, int tries) {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    const char* const paths[] = {path, nullptr};
    return detail::execute_first_of({paths, tries}, arguments, environ).error;
}

}  // namespace

TEST_CASE("an entry of PATH that leads nowhere is passed over") {
    const TemporaryDirectory directory;
    std::string entry;
    SUBCASE("a path that is too long") { entry = std::string(5000, 'x'); }
    SUBCASE("a path that is too long, with directories") {
        for (int level = 0; level < 2500; ++level) {
            entry += "/x";
        }
    }
    SUBCASE("a name that is too long") { entry = "/" + std::string(300, 'x'); }
    SUBCASE("a file") { entry = "/etc/passwd"; }
    SUBCASE("a link to itself") {
        entry = directory / "loop";
        std::filesystem::create_symlink(entry, entry);
    }
    SUBCASE("a program without permission") {
        entry = directory.path();
        directory.file("true", "#!/bin/sh\n", 0644);
    }
    SUBCASE("a directory of the name") {
        entry = directory.path();
        std::filesystem::create_directory(directory / "true");
    }
    CHECK(output_of(searched_along(entry + ":/usr/bin")) == "");
    CHECK(output_of(searched_along("/nowhere:" + entry + ":" + entry + ":/bin:/usr/bin")) == "");
}

TEST_CASE("a search without success tells the most of what it met") {
    const TemporaryDirectory directory;
    const std::string too_long(5000, 'x');
    const std::string not_there = "no such file or directory (it is in no directory of PATH)";
    CHECK(refusal_along("/nowhere:" + too_long) == not_there);
    CHECK(refusal_along(too_long + ":/nowhere") == not_there);
    CHECK(refusal_along("/etc/passwd:/etc/group") == not_there);
    CHECK(refusal_along(too_long) == "file name too long");
    CHECK(refusal_along("/usr/bin:/bin", std::string(300, 'x')) == "file name too long");

    directory.file("true", "#!/bin/sh\n", 0644);
    const std::string refused = "permission denied (it has no execute permission for this user)";
    CHECK(refusal_along(directory.path() + ":/nowhere:" + too_long) == refused);
    CHECK(refusal_along("/nowhere:" + too_long + ":" + directory.path()) == refused);
}

TEST_CASE("a file that is there but cannot run ends the search") {
    const TemporaryDirectory directory;
    std::string refusal;
    SUBCASE("in no known format") {
        directory.file("true", "echo\n", 0755);
        refusal = "exec format error";
    }
    SUBCASE("without its interpreter") {
        directory.file("true", "#!/nowhere/sh\n", 0755);
        refusal = "no such file or directory (its interpreter";
    }
    SUBCASE("with a loop for an interpreter") {
        std::filesystem::create_symlink("loop", directory / "loop");
        directory.file("true", "#!" + directory / "loop" + "\n", 0755);
        refusal = "too many levels of symbolic links";
    }
    CHECK(refusal_along(directory.path() + ":/usr/bin").starts_with(refusal));
}

TEST_CASE("a file system that does not answer does not end the search") {
    for (const int error : {ESTALE, ENODEV, ETIMEDOUT}) {
        CAPTURE(error);
        Peer peer([error] {
            refuse_system_calls({SYS_execve}, error);
            char name[] = "true";
            char* const arguments[] = {name, nullptr};
            const char* const paths[] = {"/bin/true", "/usr/bin/true", nullptr};
            const detail::FailedExec failure =
                detail::execute_first_of({paths, 1}, arguments, environ);
            expect_same(failure.error, error);
            expect_same(failure.path, paths[1]);
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("a program that another child is still to close is executed once it is closed") {
    const TemporaryDirectory directory;
    const std::string path = directory / "program";
    std::filesystem::copy_file("/bin/true", path);
    UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    Peer peer([&] {
        writer.reset();
        execute_true(path.c_str(), 1 << 20);
    });
    REQUIRE(is_blocked_in_a_wait(peer.pid()));
    writer.reset();
    CHECK(peer.ending() == "exit status 0");
}

TEST_CASE("a program that stays open for writing is not waited for without end") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("program", "#!/bin/sh\n", 0755);
    const UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(execute_true(path.c_str(), 1) == ETXTBSY);
    // The writer could be another launch's child for all that this one knows.
    Launch other = SyncedSpawner({.program = "true"}).launch();
    const SpawnError error = failure_of({.program = path});
    CHECK(error.code() == std::errc::text_file_busy);
}
