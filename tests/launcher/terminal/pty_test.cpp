#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/nothing_is_left.hpp"
#include "support/reaper.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/terminals.hpp"

// A terminal of the program's own.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

pid_t foreground_of(int master) {
    pid_t group = -1;
    return ioctl(master, TIOCGPGRP, &group) < 0 ? -1 : group;
}

// The shell of a person.
SpawnOptions interactive_shell() {
    return {
        .program = "sh",
        .arguments = {"-i"},
        .environment = Environment::current().set("TERM", "dumb").set("PS1", "$ ").unset("ENV")};
}

}  // namespace

TEST_CASE("the terminal is the program's streams, /dev/tty and controlling terminal") {
    const NothingIsLeft nothing_is_left;
    for (const StartMethod method : start_methods()) {
        Pty pty;
        const std::string name = pty.name();
        SpawnOptions options =
            shell("test -t 0 && test -t 1 && test -t 2 && tty && echo all > /dev/tty");
        options.birth.method = method;
        Process program = spawn_on(pty, options);
        CHECK(screen_of(pty.master()) == name + "\r\nall\r\n");
        CHECK(program.wait().success());
    }
}

TEST_CASE("the program sees the size of the window, and is told of a new one") {
    const NothingIsLeft nothing_is_left;
    Pty pty({.size = {.rows = 50, .columns = 132}});
    CHECK(pty.size() == TerminalSize{.rows = 50, .columns = 132});
    Process program = spawn_on(
        pty, shell("trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.1; done"));
    CHECK(screen_until(pty.master(), "\n") == "50 132\r\n");
    pty.resize({.rows = 7, .columns = 9});
    CHECK(screen_of(pty.master()) == "7 9\r\n");
    CHECK(program.wait().success());
}

TEST_CASE("the program reads the line that is typed, and ^C interrupts it") {
    const NothingIsLeft nothing_is_left;
    Pty pty;
    Process program = spawn_on(pty, shell("read -r line; echo \"got $line\"; exec sleep 1000"));
    type(pty.master(), "hello\n");
    CHECK(screen_until(pty.master(), "got hello\r\n") == "hello\r\ngot hello\r\n");
    type(pty.master(), "\x03");
    CHECK(program.wait() == ExitStatus::killed(SIGINT));
}

TEST_CASE("^D is the end of the input") {
    const NothingIsLeft nothing_is_left;
    Pty pty;
    Process program = spawn_on(pty, {.program = "cat"});
    type(pty.master(), "\x04");
    CHECK(program.wait().success());
}

TEST_CASE("all that was written is read before the master says that nobody has the terminal open") {
    const NothingIsLeft nothing_is_left;
    Pty pty;
    Process program = spawn_on(pty, shell("head -c 100000 /dev/zero | tr '\\0' x"));
    CHECK(screen_of(pty.master()) == std::string(100'000, 'x'));
    CHECK(program.wait().success());
}

TEST_CASE("closing the master hangs up, with a reaper between, too") {
    const bool has_reapers = reapers_are_possible();  // whose file stays open
    const NothingIsLeft nothing_is_left;
    const SpawnOptions endless{.program = "sleep", .arguments = {"1000"}};
    {
        Pty pty;
        Process program = spawn_on(pty, endless);
        pty.take_master().reset();
        CHECK(program.wait() == ExitStatus::killed(SIGHUP));
    }
    if (!has_reapers) {
        SKIP_TEST("this machine forbids new pid namespaces");
    }
    for (const KillScope scope :
         {KillScope::process, KillScope::process_group, KillScope::session}) {
        Pty pty;
        SpawnOptions options = with_reaper(endless);
        options.ending.scope = scope;
        Process program = spawn_on(pty, options);
        pty.take_master().reset();
        CHECK(program.wait() == ExitStatus::killed(SIGHUP));
    }
}

TEST_CASE("a shell controls jobs: ^Z stops one, fg continues it, ^C ends it") {
    const bool has_reapers = reapers_are_possible();  // whose file stays open
    const NothingIsLeft nothing_is_left;
    std::vector<SpawnOptions> all{interactive_shell()};
    if (has_reapers) {
        all.push_back(with_reaper(interactive_shell()));
    }
    for (const SpawnOptions& options : all) {
        Pty pty;
        Process program = spawn_on(pty, options);
        type(pty.master(), "sh -c 'echo r''un; exec sleep 1000'\n");
        screen_until(pty.master(), "run\r\n");
        const pid_t job = foreground_of(pty.master());
        type(pty.master(), "\x1a");
        screen_until(pty.master(), "Stopped");
        type(pty.master(), "fg\n");
        CHECK(comes_true([&] { return foreground_of(pty.master()) == job; }));
        type(pty.master(), "\x03");
        CHECK(comes_true([&] { return foreground_of(pty.master()) != job; }));
        type(pty.master(), "echo status=$?; exit 7\n");
        CHECK(contains(screen_of(pty.master()), "status=130\r\n"));
        CHECK(program.wait() == ExitStatus::exited(7));
    }
}

TEST_CASE("streams that were chosen already stay, and the terminal still controls the program") {
    const NothingIsLeft nothing_is_left;
    Pty pty;
    SpawnOptions options = shell("! test -t 1 && test -t 0 && echo out && echo screen > /dev/tty");
    options.streams.output = Stdio::pipe();
    Process program = spawn_on(pty, options);
    CHECK(read_all(program.standard_output()) == "out\n");
    CHECK(screen_of(pty.master()) == "screen\r\n");
    CHECK(program.wait().success());
}

TEST_CASE("it may begin with the settings and the size of another terminal") {
    const Pty model({.size = {.rows = 3, .columns = 4}});
    termios settings = settings_of(model.terminal());
    settings.c_lflag &= ~tcflag_t{ECHO};
    settings.c_cc[VINTR] = 7;
    REQUIRE(tcsetattr(model.terminal(), TCSANOW, &settings) == 0);
    const Pty pty({.like = model.terminal()});
    CHECK(are_same(settings_of(pty.terminal()), settings));
    CHECK(pty.size() == TerminalSize{.rows = 3, .columns = 4});
}

TEST_CASE("the master waits for nobody, if that is wished") {
    const Pty pty({.is_nonblocking = true});
    char byte = 0;
    const ssize_t size = read(pty.master(), &byte, 1);
    const int error = size < 0 ? errno : 0;
    CHECK(error == EAGAIN);
    CHECK((fcntl(Pty().master(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("the terminal's file may be given to the program's user") {
    if (geteuid() != 0) {
        SKIP_TEST("only root gives files away");
    }
    Pty pty;
    pty.give_to(65534, 65533);
    struct stat about {};
    REQUIRE(fstat(pty.terminal(), &about) == 0);
    CHECK(about.st_uid == 65534);
    CHECK(about.st_gid == 65533);
    CHECK((about.st_mode & 07777) == 0620);
}

TEST_CASE("an end that is closed or gone, and what is no terminal, are told") {
    const NothingIsLeft nothing_is_left;
    Pty pty;
    pty.close_terminal();
    CHECK_THROWS_AS((void)pty.step(), std::logic_error);
    CHECK_THROWS_AS((void)pty.options_for({.program = "true"}), std::logic_error);
    (void)pty.take_master();
    CHECK_THROWS_AS((void)pty.size(), std::logic_error);
    CHECK_THROWS_AS((void)pty.take_master(), std::logic_error);
    const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
    CHECK_THROWS_AS(Pty({.like = file.get()}), std::system_error);
    CHECK_THROWS_AS((void)terminal_size(file.get()), std::system_error);
    CHECK_THROWS_AS(set_terminal_size(file.get(), {}), std::system_error);
}
