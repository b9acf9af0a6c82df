#include <syncspawn/launcher/descriptors.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/peer.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// In a process of its own, where it must be true.
template <typename Body>
void in_peer(Body body) {
    CHECK(Peer([&] { expect(body()); }).ending() == reached_the_end);
}

void make_pipe(UniqueFd& read_end, UniqueFd& write_end) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
}

SpawnOptions shell_with(const std::string& script, Streams streams) {
    SpawnOptions options = shell(script);
    options.streams = std::move(streams);
    return options;
}

}  // namespace

TEST_CASE(
    "the standard error may go where the output goes, in the order in which both are written") {
    Process process =
        SyncedSpawner(shell_with("echo one; echo two >&2; echo three",
                                 {.output = Stdio::pipe(), .error = Stdio::same_as_output()}))
            .spawn();
    CHECK(process.standard_error() == -1);
    CHECK(read_all(process.standard_output()) == "one\ntwo\nthree\n");
    CHECK(process.wait().success());
}

TEST_CASE("the standard output may go where the error goes") {
    Process process =
        SyncedSpawner(shell_with("echo one; echo two >&2",
                                 {.output = Stdio::same_as_error(), .error = Stdio::pipe()}))
            .spawn();
    CHECK(read_all(process.standard_error()) == "one\ntwo\n");
    CHECK(process.wait().success());
}

TEST_CASE("a text is the standard input, whatever its size, and each launch reads all of it") {
    const std::string text(3 << 20, 'x');
    const SyncedSpawner spawner({.program = "wc",
                                 .arguments = {"-c"},
                                 .streams = {.input = Stdio::text(text), .output = Stdio::pipe()}});
    for (int launch = 0; launch < 2; ++launch) {
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "3145728\n");
        CHECK(process.wait().success());
    }
}

TEST_CASE("the ends of the pipes can be taken from a launch, and are not in its process then") {
    Launch launch = SyncedSpawner({.program = "cat",
                                   .streams = {.input = Stdio::pipe(), .output = Stdio::pipe()}})
                        .launch();
    CHECK_THROWS_WITH_AS((void)launch.take_standard_output(),
                         "syncspawn::Launch: no child has been started yet", std::logic_error);
    bool is_over = launch.advance();
    const UniqueFd output = launch.take_standard_output();
    while (!is_over) {
        is_over = launch.advance();
    }
    Process process = launch.take_process();
    CHECK(process.standard_output() == -1);
    CHECK_THROWS_WITH_AS((void)process.take_standard_output(),
                         "syncspawn::Process: the standard output was moved out", std::logic_error);
    CHECK(write(process.standard_input(), "text", 4) == 4);
    process.take_standard_input().reset();
    CHECK(read_all(output.get()) == "text");
    CHECK(process.wait().success());
}

TEST_CASE("a pipe holds as much as is asked for") {
    Process process =
        SyncedSpawner({.program = "true", .streams = {.output = Stdio::pipe(200000)}}).spawn();
    CHECK(fcntl(process.standard_output(), F_GETPIPE_SZ) >= 200000);
    CHECK(process.wait().success());
}

TEST_CASE("a pipe that an ordinary user may not have fails the launch, with a hint") {
    in_peer([] {
        if (geteuid() == 0 && syscall(SYS_setuid, 65534) != 0) {
            return false;
        }
        const SpawnError error = failure_of(
            {.program = "true", .streams = {.input = Stdio::pipe(std::size_t{1} << 30)}});
        return error.code() == std::errc::operation_not_permitted &&
               error.detail() == "pipe of 1073741824 bytes for the standard input" &&
               error.hint().find("fs.pipe-max-size") != std::string::npos;
    });
}

TEST_CASE("a file is read, written, appended to and made") {
    const TemporaryDirectory directory;
    const std::string input = directory.file("in", "one\n", 0600);
    const auto cat_to = [&](Stdio output) {
        return SyncedSpawner(
                   {.program = "cat",
                    .streams = {.input = Stdio::read_from(input), .output = std::move(output)}})
            .spawn()
            .wait()
            .success();
    };
    const std::string output = directory / "out";
    CHECK(cat_to(Stdio::create(output, 0640)));
    CHECK(read_file(output) == "one\n");
    struct stat about {};
    REQUIRE(stat(output.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777 & ~0640U) == 0);
    CHECK(cat_to(Stdio::append_to(output)));
    CHECK(read_file(output) == "one\none\n");
    CHECK(cat_to(Stdio::write_to(output)));
    CHECK(read_file(output) == "one\n");
    CHECK(cat_to(Stdio::append_to(directory / "new")));
    CHECK(read_file(directory / "new") == "one\n");
}

TEST_CASE("both outputs go into one file in the order in which they are written") {
    const TemporaryDirectory directory;
    const std::string path = directory / "log";
    CHECK(SyncedSpawner(
              shell_with("echo one; echo two >&2; echo three",
                         {.output = Stdio::write_to(path), .error = Stdio::same_as_output()}))
              .spawn()
              .wait()
              .success());
    CHECK(read_file(path) == "one\ntwo\nthree\n");
}

TEST_CASE("the standard error can follow a descriptor, or what is inherited") {
    UniqueFd read_end;
    UniqueFd write_end;
    make_pipe(read_end, write_end);
    SUBCASE("a descriptor") {
        Process process =
            SyncedSpawner(shell_with("echo text >&2", {.output = Stdio::descriptor(write_end.get()),
                                                       .error = Stdio::same_as_output()}))
                .spawn();
        write_end.reset();
        CHECK(process.wait().success());
    }
    SUBCASE("what is inherited") {
        std::fflush(
            stdout);  // or the peer's copy goes into the pipe: the thread sanitizer writes it
        in_peer([&] {
            dup2(write_end.get(), STDOUT_FILENO);
            return SyncedSpawner(shell_with("echo text >&2", {.error = Stdio::same_as_output()}))
                .spawn()
                .wait()
                .success();
        });
        write_end.reset();
    }
    CHECK(read_all(read_end.get()) == "text\n");
}

TEST_CASE(
    "a file that cannot be opened fails the launch before the child, and the error names it") {
    const TemporaryDirectory directory;
    const auto error_of = [](Streams streams) {
        return failure_of({.program = "true", .streams = std::move(streams)});
    };
    SUBCASE("that is not there") {
        const SpawnError error = error_of({.input = Stdio::read_from(directory / "none")});
        CHECK(error.stage() == Stage::prepare);
        CHECK(error.code() == std::errc::no_such_file_or_directory);
        CHECK(error.detail() == "open '" + (directory / "none") + "' for the standard input");
        CHECK_FALSE(error.program_may_have_run());
    }
    SUBCASE("that is there already") {
        const std::string path = directory.file("there", "", 0600);
        const SpawnError error = error_of({.output = Stdio::create(path)});
        CHECK(error.code() == std::errc::file_exists);
        CHECK(error.detail() == "open '" + path + "' for the standard output");
    }
    SUBCASE("that is a directory") {
        CHECK(error_of({.input = Stdio::read_from(directory.path())}).code() ==
              std::errc::is_a_directory);
        CHECK(error_of({.error = Stdio::append_to(directory.path())}).code() ==
              std::errc::is_a_directory);
    }
}

TEST_CASE("a FIFO that nobody has open at its other end fails the launch, and does not hang it") {
    const TemporaryDirectory directory;
    const std::string fifo = directory / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    for (const Streams& streams :
         {Streams{.input = Stdio::read_from(fifo)}, Streams{.output = Stdio::write_to(fifo)},
          Streams{.error = Stdio::append_to(fifo)}}) {
        const SpawnError error = failure_of({.program = "true", .streams = streams});
        CHECK(error.code() == std::errc::no_such_device_or_address);
        CHECK(error.hint().find("FIFO") != std::string::npos);
    }
}

TEST_CASE(
    "a program waits at a FIFO that somebody has open for writing, though nothing is in it yet") {
    const TemporaryDirectory directory;
    const std::string fifo = directory / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    UniqueFd writer(open(fifo.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(writer);
    Process process =
        SyncedSpawner({.program = "cat",
                       .streams = {.input = Stdio::read_from(fifo), .output = Stdio::pipe()}})
            .spawn();
    CHECK(sleeps_in(process.pid(), SYS_read));
    CHECK(write(writer.get(), "late\n", 5) == 5);
    writer.reset();
    CHECK(read_all(process.standard_output()) == "late\n");
    CHECK(process.wait().success());
}

TEST_CASE("a launch without a terminal fails where one is asked for, and with one does not") {
    SUBCASE("none") {
        in_peer([] {
            setsid();
            const SpawnError error =
                failure_of({.program = "true", .streams = {.input = Stdio::terminal()}});
            return error.code() == std::errc::no_such_device_or_address &&
                   error.detail() == "open '/dev/tty' for the standard input" &&
                   error.hint().find("no terminal") != std::string::npos;
        });
    }
    SUBCASE("one") {
        UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        if (!master || grantpt(master.get()) < 0 || unlockpt(master.get()) < 0) {
            SKIP_TEST("there are no pseudo-terminals here");
        }
        const std::string name = ptsname(master.get());
        in_peer([&] {
            setsid();
            const UniqueFd terminal(open(name.c_str(), O_RDWR | O_CLOEXEC));
            return SyncedSpawner(
                       shell_with("test -t 1 && echo text", {.output = Stdio::terminal()}))
                .spawn()
                .wait()
                .success();
        });
    }
}

TEST_CASE("a text comes from a file without a name where there is no memfd_create") {
    for (const int refusal : {ENOSYS, EPERM, EACCES}) {
        in_peer([&] {
            refuse_system_calls({SYS_memfd_create}, refusal);
            return output_of({.program = "cat",
                              .streams = {.input = Stdio::text("still here\n")}}) == "still here\n";
        });
    }
}

TEST_CASE("a text beyond the limit of a file fails the launch, and does not kill this process") {
    in_peer([] {
        const rlimit limit{1000, 1000};
        setrlimit(RLIMIT_FSIZE, &limit);
        return failure_of(
                   {.program = "true", .streams = {.input = Stdio::text(std::string(1001, 'x'))}})
                   .code() == std::errc::file_too_large;
    });
}

TEST_CASE("an empty text is an input that ends at once") {
    CHECK(output_of({.program = "cat", .streams = {.input = Stdio::text("")}}).empty());
}

TEST_CASE("what a launch opens stays off the numbers that parts fill") {
    SpawnOptions options{
        .program = "cat",
        .streams = {.input = Stdio::text("text"), .error = Stdio::same_as_output()},
        .descriptors = {.filled_by_parts = {50}}};
    CHECK(output_of(std::move(options)) == "text");
}

TEST_CASE("no descriptor is left of a launch, of one that fails, and of one that is dropped") {
    const TemporaryDirectory directory;
    const NothingIsLeft check;
    const Streams all{.input = Stdio::text("text"),
                      .output = Stdio::write_to(directory / "out"),
                      .error = Stdio::pipe()};
    CHECK(SyncedSpawner({.program = "cat", .streams = all}).spawn().wait().success());
    CHECK(failure_of({.program = "/none", .streams = all}).stage() == Stage::execve);
    Launch dropped = SyncedSpawner({.program = "cat", .streams = all}).launch();
    (void)dropped.advance();
}

TEST_CASE("streams that cannot be are refused") {
    const auto refuses = [](Streams streams) {
        CHECK_THROWS_AS(SyncedSpawner(shell_with("true", std::move(streams))),
                        std::invalid_argument);
    };
    refuses({.input = Stdio::same_as_output()});
    refuses({.input = Stdio::same_as_error()});
    refuses({.output = Stdio::same_as_output()});
    refuses({.error = Stdio::same_as_error()});
    refuses({.output = Stdio::same_as_error(), .error = Stdio::same_as_output()});
    refuses({.output = Stdio::text("text")});
    refuses({.error = Stdio::text("text")});
    refuses({.input = Stdio::write_to("file")});
    refuses({.input = Stdio::append_to("file")});
    refuses({.input = Stdio::create("file")});
    refuses({.output = Stdio::read_from("file")});
    refuses({.error = Stdio::read_from("file")});
    refuses({.output = Stdio::write_to("")});
    refuses({.output = Stdio::write_to(std::string("a\0b", 3))});
    refuses({.output = Stdio::write_to("file"), .error = Stdio::write_to("file")});
    refuses({.output = Stdio::pipe(0)});
    refuses({.output = Stdio::pipe((std::size_t{1} << 30) + 1)});
}
