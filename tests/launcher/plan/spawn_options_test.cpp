#include <syncspawn/launcher/spawn_options.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "support/launched.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

std::string refusal_of(SpawnOptions options) {
    try {
        SyncedSpawner spawner(std::move(options));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "accepted";
}

// A pipe that has its name written into it, so that a program can tell which one it got.
class NamedPipe {
public:
    explicit NamedPipe(const std::string& name) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            throw std::system_error(errno, std::generic_category(), "pipe2");
        }
        read_end.reset(ends[0]);
        const UniqueFd write_end(ends[1]);
        (void)!write(write_end.get(), name.data(), name.size());
    }
    UniqueFd read_end;
};

// Moves a descriptor to a number that must be free.
UniqueFd moved_to(UniqueFd fd, int number) {
    if (fcntl(number, F_GETFD) >= 0 || dup3(fd.get(), number, O_CLOEXEC) < 0) {
        throw std::system_error(EBUSY, std::generic_category(), "descriptor");
    }
    return UniqueFd(number);
}

// A program that prints what it can read from the descriptors named, and then all that are open.
SpawnOptions descriptors_of_program(std::vector<std::string> read_first) {
    return {.program = SYNCSPAWN_TEST_HELPERS "/launch_descriptors",
            .arguments = std::move(read_first)};
}

Environment only(std::string_view name, std::string_view value) {
    Environment environment;
    environment.set(name, value);
    return environment;
}

}  // namespace

TEST_CASE("options that can never work are refused with the rule they break") {
    CHECK(refusal_of({.program = ""}) == "syncspawn: the program must have a name");
    const std::string nul =
        "syncspawn: program, arguments and working directory must not contain a NUL";
    CHECK(refusal_of({.program = std::string("a\0b", 3)}) == nul);
    CHECK(refusal_of({.program = "a", .arguments = {std::string("\0", 1)}}) == nul);
    CHECK(refusal_of({.program = "a", .working_directory = std::string("\0", 1)}) == nul);
    CHECK(refusal_of({.program = "a", .descriptors = {.passed = {{.from = -1, .to = 3}}}}) ==
          "syncspawn: a passed descriptor must have a number to come from");
    CHECK(refusal_of({.program = "a", .descriptors = {.passed = {{.from = 0, .to = 2}}}}) ==
          "syncspawn: a passed descriptor must become 3 or more: 0 to 2 are the streams");
    CHECK(refusal_of({.program = "a", .descriptors = {.passed = {{0, 5}, {1, 5}}}}) ==
          "syncspawn: descriptor 5 cannot be filled twice");
    const std::string negative = "syncspawn: a duration must not be negative";
    CHECK(refusal_of({.program = "a", .setup = {.within = -1ns}}) == negative);
    CHECK(refusal_of({.program = "a", .readiness = {.within = -1ns}}) == negative);
    CHECK(refusal_of({.program = "a", .setup = {.abort_grace = -1ns}}) == negative);
    CHECK(refusal_of({.program = "a", .ending = {.stop = {Stop::terminate(-1ns)}}}) == negative);
    CHECK(refusal_of({.program = "a", .ending = {.stop = {Stop::signal(1000, 1ns)}}}) ==
          "syncspawn: there is no signal 1000");
    CHECK(refusal_of({.program = "a"}) == "accepted");
}

TEST_CASE("argument zero that contains a NUL is refused") {
    CHECK(refusal_of({.program = "a", .argument_zero = std::string("a\0b", 3)}) ==
          "syncspawn: program, arguments and working directory must not contain a NUL");
}

TEST_CASE("a program without a slash is looked up in the PATH that it gets") {
    const TemporaryDirectory directory;
    const std::string script = "#!/bin/sh\necho found $1\n";
    directory.file("program-of-test", script, 0755);
    SUBCASE("which is the environment of the options, not that of the parent") {
        CHECK(output_of({.program = "program-of-test",
                         .arguments = {"it"},
                         .environment = only("PATH", "/nowhere:" + directory.path())}) ==
              "found it\n");
        CHECK(failure_of({.program = "program-of-test"}).code() ==
              std::errc::no_such_file_or_directory);
    }
    SUBCASE("where an empty entry is the working directory that it gets") {
        for (const char* path : {"", ":/nowhere", "/nowhere:", "/nowhere::/nowhere"}) {
            CAPTURE(path);
            CHECK(output_of({.program = "program-of-test",
                             .environment = only("PATH", path),
                             .working_directory = directory.path()}) == "found\n");
        }
    }
    SUBCASE("where a directory that does not exist and a file on the way are passed over") {
        directory.file("file", "", 0644);
        CHECK(output_of({.program = "program-of-test",
                         .environment = only("PATH", "/nowhere:" + directory / "file" + ":" +
                                                         directory.path())}) == "found\n");
    }
    SUBCASE("where one that may not be executed is passed over, but remembered") {
        const TemporaryDirectory other;
        other.file("program-of-test", script, 0644);
        CHECK(output_of({.program = "program-of-test",
                         .environment = only("PATH", other.path() + ":" + directory.path())}) ==
              "found\n");
        CHECK(failure_of({.program = "program-of-test",
                          .environment = only("PATH", other.path() + ":/nowhere")})
                  .code() == std::errc::permission_denied);
    }
    SUBCASE("where a file without a known format ends the search, without a shell") {
        const TemporaryDirectory other;
        other.file("program-of-test", "echo found\n", 0755);
        CHECK(failure_of({.program = "program-of-test",
                          .environment = only("PATH", other.path() + ":" + directory.path())})
                  .code() == std::errc::executable_format_error);
    }
}

TEST_CASE("without a PATH the C library's default is used") {
    CHECK(output_of({.program = "sh", .arguments = {"-c", "echo found"}, .environment = {}}) ==
          "found\n");
}

TEST_CASE("a program with a slash is relative to the working directory that it gets") {
    const TemporaryDirectory directory;
    directory.file("program", "#!/bin/sh\npwd\n", 0755);
    CHECK(output_of({.program = "./program", .working_directory = directory.path()}) ==
          directory.path() + "\n");
}

TEST_CASE("without a search a name without a slash is a path, too") {
    const TemporaryDirectory directory;
    directory.file("here", "#!/bin/sh\necho $0", 0755);
    SpawnOptions options{.program = "here",
                         .program_search = ProgramSearch::none,
                         .working_directory = directory.path()};
    CHECK(output_of(options) == "here\n");
    options.program = "true";
    CHECK(failure_of(options).code() == std::errc::no_such_file_or_directory);
    CHECK(failure_of(options).hint().find("PATH") == std::string::npos);
}

TEST_CASE("the environment of the program is exactly that of the options") {
    Environment environment = only("A", "1");
    environment.set("B", "2").set("A", "3").set("C", "4").unset("C");
    CHECK(output_of({.program = "/usr/bin/env", .environment = environment}) == "A=3\nB=2\n");
    CHECK(output_of({.program = "/usr/bin/env", .environment = {}}) == "");
    CHECK(environment.get("A") == "3");
    CHECK_FALSE(environment.get("C"));
    CHECK(environment.clear().entries().empty());
}

TEST_CASE("the environment is the parent's if nothing else is said") {
    REQUIRE(setenv("SYNCSPAWN_TEST_VARIABLE", "of the parent", 1) == 0);
    CHECK(output_of(shell("echo $SYNCSPAWN_TEST_VARIABLE")) == "of the parent\n");
    unsetenv("SYNCSPAWN_TEST_VARIABLE");
}

TEST_CASE("argument zero is the program unless it is set") {
    SpawnOptions options{.program = "cat", .arguments = {"/proc/self/cmdline"}};
    CHECK(output_of(options) == std::string("cat\0/proc/self/cmdline\0", 23));
    options.argument_zero = "dog";
    CHECK(output_of(options) == std::string("dog\0/proc/self/cmdline\0", 23));
}

TEST_CASE("standard streams come from and go to where the options say") {
    SUBCASE("/dev/null") {
        SpawnOptions options = shell("readlink /proc/$$/fd/0 /proc/$$/fd/2");
        options.streams.input = Stdio::null();
        options.streams.error = Stdio::null();
        CHECK(output_of(options) == "/dev/null\n/dev/null\n");
    }
    SUBCASE("a descriptor of the parent") {
        NamedPipe pipe("text");
        SpawnOptions options{.program = "cat"};
        options.streams.input = Stdio::descriptor(pipe.read_end.get());
        CHECK(output_of(options) == "text");
    }
    SUBCASE("three pipes, whose ends the process has") {
        SpawnOptions options = shell("read line; echo out $line; echo err $line >&2");
        options.streams.input = Stdio::pipe();
        options.streams.output = Stdio::pipe();
        options.streams.error = Stdio::pipe();
        Process process = SyncedSpawner(options).spawn();
        REQUIRE(write(process.standard_input(), "x\n", 2) == 2);
        process.take_standard_input().reset();
        CHECK(read_all(process.standard_output()) == "out x\n");
        CHECK(read_all(process.standard_error()) == "err x\n");
        CHECK(process.wait().success());
    }
    SUBCASE("output and error exchanged") {
        Peer peer([] {
            NamedPipe one("one");
            NamedPipe two("two");
            dup2(one.read_end.get(), 1);
            dup2(two.read_end.get(), 2);
            SpawnOptions options =
                shell("exec 8<&1 9<&2; test $(cat <&8) = two && test $(cat <&9) = one");
            options.streams.output = Stdio::descriptor(2);
            options.streams.error = Stdio::descriptor(1);
            expect(SyncedSpawner(options).spawn().wait().success());
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("the program gets its streams and the passed descriptors, and no others") {
    NamedPipe pipe("text");
    SpawnOptions options = descriptors_of_program({});
    options.descriptors.passed = {{pipe.read_end.get(), 7}};
    CHECK(output_of(options) == "0 1 2 7 ");
}

TEST_CASE("passed descriptors may exchange their numbers and go through one another") {
    Peer peer([] {
        close_range(3, ~0U, 0);
        const UniqueFd three = moved_to(std::move(NamedPipe("three").read_end), 40);
        const UniqueFd four = moved_to(std::move(NamedPipe("four").read_end), 41);
        const UniqueFd five = moved_to(std::move(NamedPipe("five").read_end), 42);
        dup3(40, 3, O_CLOEXEC);
        dup3(41, 4, O_CLOEXEC);
        dup3(42, 5, O_CLOEXEC);
        SpawnOptions options = descriptors_of_program({"3", "4", "6"});
        options.descriptors.passed = {{3, 4}, {4, 3}, {5, 6}};
        expect_same(output_of(options).c_str(), "four three five 0 1 2 3 4 6 ");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("hundreds of passed descriptors need no second number where none is in the way") {
    const auto launch_with = [](int count, int distance) {
        Peer peer([count, distance] {
            const rlimit limit{1024, 1024};
            expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
            SpawnOptions options{.program = "true"};
            for (int number = 10; number < 10 + count; ++number) {
                expect(dup3(0, number, O_CLOEXEC) == number);
                options.descriptors.passed.push_back({number, number + distance});
            }
            expect_same(output_of(options).c_str(), "");
        });
        CHECK(peer.ending() == reached_the_end);
    };
    SUBCASE("under their own numbers") { launch_with(900, 0); }
    SUBCASE("under others") { launch_with(450, 450); }
    SUBCASE("one after another") { launch_with(450, 1); }
}

TEST_CASE("an inherited stream is open in the program, whatever its flag says") {
    for (const OtherDescriptors others : {OtherDescriptors::close, OtherDescriptors::leave}) {
        CAPTURE(static_cast<int>(others));
        Peer peer([others] {
            for (int stream = 0; stream <= 2; ++stream) {
                expect(fcntl(stream, F_SETFD, FD_CLOEXEC) == 0);
            }
            SpawnOptions options = shell("test -e /proc/self/fd/0 && test -e /proc/self/fd/2");
            options.descriptors.others = others;
            expect_same(output_of(options).c_str(), "");
            expect((fcntl(0, F_GETFD) & FD_CLOEXEC) != 0);
            // One that is closed here is closed there.
            close(0);
            options = shell("! test -e /proc/self/fd/0");
            options.descriptors.others = others;
            expect_same(output_of(options).c_str(), "");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("one descriptor may be passed under its own number and under others") {
    Peer peer([] {
        close_range(3, ~0U, 0);
        const UniqueFd three = moved_to(std::move(NamedPipe("text").read_end), 9);
        SpawnOptions options = descriptors_of_program({"9"});
        options.descriptors.passed = {{9, 9}, {9, 3}, {9, 8}};
        expect_same(output_of(options).c_str(), "text 0 1 2 3 8 9 ");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("numbers that the launch uses itself may be targets") {
    // Every number that its own descriptors could have is filled with a passed one.
    NamedPipe pipe("text");
    SpawnOptions options = descriptors_of_program({"63"});
    std::string expected = "text 0 1 2 ";
    for (int number = 3; number < 64; ++number) {
        options.descriptors.passed.push_back({pipe.read_end.get(), number});
        expected += std::to_string(number) + " ";
    }
    CHECK(output_of(options) == expected);
}

TEST_CASE("a high number may be a target") {
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int high = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1024)) - 50;
    NamedPipe pipe("text");
    SpawnOptions options = descriptors_of_program({});
    options.descriptors.passed = {{pipe.read_end.get(), high}};
    CHECK(output_of(options) == "0 1 2 " + std::to_string(high) + " ");
}

TEST_CASE("a parent whose standard streams are closed can launch") {
    Peer peer([] {
        NamedPipe pipe("text");
        const UniqueFd source = moved_to(std::move(pipe.read_end), 50);
        close_range(0, 49, 0);
        SpawnOptions options = descriptors_of_program({"3"});
        options.descriptors.passed = {{50, 3}};
        expect_same(output_of(options).c_str(), "text 1 3 ");
        options.streams.input = Stdio::null();
        options.streams.error = Stdio::null();
        expect_same(output_of(options).c_str(), " 0 1 2 3 ");
        expect(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0);
    });
    CHECK(peer.ending() == reached_the_end);
}
