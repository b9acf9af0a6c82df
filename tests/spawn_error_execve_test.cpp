#include <doctest/doctest.h>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include <syncspawn/launcher/spawn_error.hpp>

#include "support/launched.hpp"

// The text of the error for each way in which execve refuses a program.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// An ELF file for this machine that asks for the given interpreter.
std::string elf_with_interpreter(const std::string& interpreter) {
    const UniqueFd self(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    Elf64_Ehdr header{};
    (void)!read(self.get(), &header, sizeof header);
    header.e_phoff = sizeof header;
    header.e_phnum = 1;
    header.e_shnum = 0;
    Elf64_Phdr segment{};
    segment.p_type = PT_INTERP;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = segment.p_memsz = interpreter.size() + 1;
    std::string file(sizeof header + sizeof segment, '\0');
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, &segment, sizeof segment);
    return file + interpreter + '\0';
}

// The text of the error, without the "execve 'PROGRAM' in the child: " that all of them begin with.
std::string refusal_of(SpawnOptions options) {
    const std::string begin = "execve '" + options.program + "' in the child: ";
    const SpawnError error = failure_of(std::move(options));
    CHECK(error.stage() == Stage::execve);
    CHECK(error.side() == WhichSide::child);
    CHECK(error.cause() == Cause::error);
    CHECK_FALSE(error.program_may_have_run());
    const std::string text = error.what();
    return text.starts_with(begin) ? text.substr(begin.size()) : text;
}

std::string refusal_of_path(const std::string& path) { return refusal_of({.program = path}); }

}  // namespace

TEST_CASE("a path that does not exist is just that") {
    CHECK(refusal_of_path("/nowhere/program") == "no such file or directory");
}

TEST_CASE("a name that no directory of PATH has says so") {
    Environment environment;
    environment.set("PATH", "/nowhere:/usr/bin");
    CHECK(refusal_of({.program = "no-such-program", .environment = environment}) ==
          "no such file or directory (it is in no directory of PATH)");
}

TEST_CASE("a script whose interpreter is missing names it") {
    const TemporaryDirectory directory;
    CHECK(refusal_of_path(directory.file("script", "#! /nowhere/sh -e\n", 0755)) ==
          "no such file or directory (its interpreter '/nowhere/sh', named in its first line, does "
          "not exist)");
}

TEST_CASE("a script found in PATH whose interpreter is missing names it too") {
    const TemporaryDirectory directory;
    directory.file("script", "#!/nowhere/sh\n", 0755);
    Environment environment;
    environment.set("PATH", directory.path() + ":/usr/bin");
    CHECK(refusal_of({.program = "script", .environment = environment}) ==
          "no such file or directory (its interpreter '/nowhere/sh', named in its first line, does "
          "not exist)");
}

TEST_CASE("a binary whose loader is missing names it") {
    const TemporaryDirectory directory;
    CHECK(
        refusal_of_path(directory.file("program", elf_with_interpreter("/nowhere/ld.so"), 0755)) ==
        "no such file or directory (its interpreter '/nowhere/ld.so', named in its ELF header, "
        "does not exist)");
}

TEST_CASE("a file without execute permission says so") {
    const TemporaryDirectory directory;
    CHECK(refusal_of_path(directory.file("program", "#!/bin/sh\n", 0644)) ==
          "permission denied (it has no execute permission for this user)");
}

TEST_CASE("a directory is none to execute") {
    CHECK(refusal_of_path("/tmp") == "permission denied (it is a directory)");
}

TEST_CASE("a device is none to execute") {
    CHECK(refusal_of_path("/dev/null") == "permission denied (it is not a regular file)");
}

TEST_CASE("a script whose interpreter may not be executed points there") {
    const TemporaryDirectory directory;
    const std::string interpreter = directory.file("interpreter", "", 0644);
    CHECK(refusal_of_path(directory.file("script", "#!" + interpreter + "\n", 0755)) ==
          "permission denied (its interpreter may not be executed, or a security module refuses)");
}

TEST_CASE("a directory on the way that may not be searched is told") {
    const TemporaryDirectory directory;
    directory.file("program", "#!/bin/sh\n", 0755);
    REQUIRE(chmod(directory.path().c_str(), 0700) == 0);
    Peer peer([&] {  // root may search everything
        expect(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
        const SpawnError error = failure_of({.program = directory / "program"});
        expect_same(error.what(), ("execve '" + directory / "program" +
                                   "' in the child: permission denied (a directory of the path may "
                                   "not be searched)")
                                      .c_str());
    });
    const bool is_root = geteuid() == 0;
    const std::string ending = peer.ending();
    CHECK((ending == reached_the_end || !is_root));
}

TEST_CASE("a file system mounted noexec is told") {
    Peer peer([] {
        const TemporaryDirectory directory;
        if (unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
            mount("none", directory.path().c_str(), "tmpfs", MS_NOEXEC, nullptr) < 0) {
            leave_out_here("this user cannot mount");
        }
        const std::string path = directory.file("program", "#!/bin/sh\n", 0755);
        const SpawnError error = failure_of({.program = path});
        umount2(directory.path().c_str(), MNT_DETACH);
        expect_same(error.what(), ("execve '" + path +
                                   "' in the child: permission denied (it is on a file system "
                                   "mounted noexec)")
                                      .c_str());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a file of no known format is not given to a shell") {
    const TemporaryDirectory directory;
    CHECK(refusal_of_path(directory.file("program", "echo\n", 0755)) ==
          "exec format error (neither a known binary format nor a script that begins with '#!')");
}

TEST_CASE("a file on the way where a directory should be is told") {
    CHECK(refusal_of_path("/etc/passwd/program") == "not a directory");
}

TEST_CASE("arguments that are too large are told") {
    CHECK(refusal_of({.program = "/bin/true", .arguments = {std::string(1 << 20, 'x')}}) ==
          "argument list too long (arguments and environment are too large together, or one of "
          "them alone)");
}

TEST_CASE("a file that somebody has open for writing is told") {
    const TemporaryDirectory directory;
    const std::string path = directory.file("script", "#!/bin/sh\n", 0755);
    const UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(refusal_of_path(path) == "text file busy (somebody has the file open for writing)");
}

TEST_CASE("a name that is too long is told") {
    CHECK(refusal_of_path("/" + std::string(300, 'x')) == "file name too long");
}
