#include <doctest/doctest.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <syncspawn/launcher/spawn_error.hpp>

#include "launcher/child/exec_diagnosis.hpp"
#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/skip.hpp"

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
    if (geteuid() != 0) {
        SKIP_TEST("only root can become a user who may not search it");
    }
    const TemporaryDirectory directory;
    directory.file("program", "#!/bin/sh\n", 0755);
    REQUIRE(chmod(directory.path().c_str(), 0700) == 0);
    Peer peer([&] {  // root may search everything
        expect(setresuid(65534, 65534, 65534) == 0);
        const SpawnError error = failure_of({.program = directory / "program"});
        expect_same(error.what(), ("execve '" + directory / "program" +
                                   "' in the child: permission denied (a directory of the path may "
                                   "not be searched)")
                                      .c_str());
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a file system mounted noexec is told") {
    const TemporaryDirectory directory;
    Peer peer([&] {
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

TEST_CASE("a script whose first line is of no use says why") {
    const TemporaryDirectory directory;
    const auto refusal_of_script = [&](const std::string& text) {
        return refusal_of_path(directory.file("script", text, 0755));
    };
    const std::string names_none =
        "exec format error (its first line names no interpreter after '#!')";
    CHECK(refusal_of_script("#!\n/bin/sh\n") == names_none);
    CHECK(refusal_of_script("#!\n") == names_none);
    CHECK(refusal_of_script("#! \t \n") == names_none);
    CHECK(refusal_of_script("#!" + std::string(300, ' ') + "/bin/sh\n") == names_none);
    const std::string too_long =
        "exec format error (its first line is too long: the kernel reads 256 bytes for the "
        "interpreter)";
    CHECK(refusal_of_script("#!/" + std::string(300, 'x') + "\n") == too_long);
    CHECK(refusal_of_script("#!/" + std::string(300, 'x')) == too_long);
    CHECK(refusal_of_script("") == "exec format error (the file is empty)");
    const std::string interpreter = directory.file("interpreter", "text\n", 0755);
    CHECK(refusal_of_script("#!" + interpreter + "\n") ==
          "exec format error (the interpreter named in its first line is in no known binary "
          "format)");
}

TEST_CASE("a program for another processor says so") {
    const TemporaryDirectory directory;
    // Not executed: the machine may have an emulation for some of them.
    const auto said_of = [&](unsigned char machine, unsigned char high_byte, bool big_endian) {
        std::string file = elf_with_interpreter("/nowhere/ld.so");
        file[EI_DATA] = static_cast<char>(big_endian ? ELFDATA2MSB : ELFDATA2LSB);
        file[EI_NIDENT + 2] = static_cast<char>(big_endian ? high_byte : machine);
        file[EI_NIDENT + 3] = static_cast<char>(big_endian ? machine : high_byte);
        const std::string path = directory.file("program", file, 0755);
        return std::string(detail::ExecDiagnosis(path.c_str(), ENOEXEC).text());
    };
#ifndef __aarch64__
    CHECK(said_of(EM_AARCH64, 0, false) == "a program for another processor: AArch64");
#endif
    CHECK(said_of(EM_S390, 0, true) == "a program for another processor: s390");
    CHECK(said_of(2, 1, false) == "a program for another processor: LoongArch");
    CHECK(said_of(0xcd, 0xab, false) == "a program for another processor");
    // This one is, and no kernel runs it.
    std::string file = elf_with_interpreter("/nowhere/ld.so");
    file[EI_NIDENT + 3] = '\x7f';
    CHECK(refusal_of_path(directory.file("program", file, 0755)) ==
          "exec format error (a program for another processor)");
    file = elf_with_interpreter("/nowhere/ld.so");
    file[EI_NIDENT] = ET_CORE;
    CHECK(refusal_of_path(directory.file("program", file, 0755)) ==
          "exec format error (an ELF file that is damaged, no program, or of a kind that this "
          "kernel does not run)");
}

TEST_CASE("too many processes of the user are told") {
    if (geteuid() != 0 || read_file("/proc/self/uid_map").find("4294967295") == std::string::npos) {
        SKIP_TEST("only root can become another user, and only where there is one");
    }
    constexpr int nobody = 65534;
    const Gate is_nobody;
    Peer other([&] {
        expect(syscall(SYS_setresuid, nobody, nobody, nobody) == 0);
        is_nobody.open();
        for (;;) {
            pause();
        }
    });
    REQUIRE(is_nobody.wait());
    SyncedSpawner spawner({.program = "/bin/true"});
    spawner.step({.name = "limit", .child = async_signal_safe([](ChildSide& side) {
                                       const rlimit none{0, 0};
                                       return setrlimit(RLIMIT_NPROC, &none) < 0 ||
                                                      syscall(SYS_setresuid, nobody, nobody,
                                                              nobody) < 0
                                                  ? side.fail("setrlimit, setresuid")
                                                  : side.done();
                                   })});
    CHECK(std::string(failure_of(spawner).what()) ==
          "execve '/bin/true' in the child: resource temporarily unavailable (this user has more "
          "processes than RLIMIT_NPROC allows)");
}

TEST_CASE("file capabilities that cannot be gained are told") {
    const TemporaryDirectory directory;
    const std::string path = directory / "program";
    std::filesystem::copy_file("/bin/true", path);
    // Effective, and all the first 32 permitted.
    const vfs_cap_data capabilities{VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                    {{~0U, 0}, {0, 0}}};
    if (setxattr(path.c_str(), "security.capability", &capabilities, sizeof capabilities, 0) < 0) {
        SKIP_TEST("no file capabilities for this user or on this file system");
    }
    Peer peer([&] {
        expect(prctl(PR_CAPBSET_DROP, CAP_NET_RAW) == 0);
        expect_same(failure_of({.program = path}).what(),
                    ("execve '" + path +
                     "' in the child: operation not permitted (it has file capabilities that this "
                     "process may not gain: its bounding set lacks them)")
                        .c_str());
    });
    CHECK(peer.ending() == reached_the_end);
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
