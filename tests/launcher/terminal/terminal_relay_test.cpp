#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/launcher.hpp>

#include "support/nothing_is_left.hpp"
#include "support/terminal.hpp"
#include "support/terminals.hpp"

// What passes between two terminals. The outer one is made here, and the test is the person in front of it.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// What is on the person's screen, if there is something; false if there was nothing.
bool look_at_screen(int person, std::string& text) {
    pollfd screen{person, POLLIN, 0};
    if (poll(&screen, 1, 0) != 1) {
        return false;
    }
    char piece[4096];
    const ssize_t size = read(person, piece, sizeof piece);
    text.append(piece, size > 0 ? static_cast<std::size_t>(size) : 0);
    return size > 0;
}

// Goes on with the relay, and reads what is on the person's screen, until this is there or the relay is over.
std::string screen_during(TerminalRelay& relay, int person, const std::string& wanted = "") {
    std::string text;
    while (wanted.empty() || !contains(text, wanted)) {
        if (relay.advance()) {
            while (look_at_screen(person, text)) {
            }
            break;
        }
        pollfd loop[]{{relay.descriptor(), POLLIN, 0}, {person, POLLIN, 0}};
        CHECK(poll(loop, 2, -1) > 0);
        look_at_screen(person, text);
    }
    return text;
}

void run_until_over(TerminalRelay& relay) {
    while (!relay.advance()) {
        pollfd loop{relay.descriptor(), POLLIN, 0};
        CHECK(poll(&loop, 1, -1) == 1);
    }
    CHECK(relay.descriptor() == -1);
}

struct OpenPipe {
    OpenPipe() {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
    }
    UniqueFd read;
    UniqueFd write;
};

// What the program does with this input, and what it writes.
std::string output_for(SpawnOptions options, int input) {
    Pty pty;
    Process program = spawn_on(pty, std::move(options));
    TemporaryDirectory directory;
    const std::string path = directory.file("output", "", 0600);
    const UniqueFd output(open(path.c_str(), O_RDWR | O_CLOEXEC));
    TerminalRelay relay(input, output.get(), pty.master());
    run_until_over(relay);
    CHECK(relay.end() == RelayEnd::terminal_closed);
    CHECK(program.wait().success());
    return read_file(path);
}

}  // namespace

TEST_CASE("what the person types reaches the program, and what it writes the person") {
    const NothingIsLeft nothing_is_left;
    const Terminal outer;
    Pty pty({.like = outer.fd()});
    const RawTerminal raw(outer.fd());
    Process program =
        spawn_on(pty, shell("read -r line; echo \"got $line\"; stty -echo; exec sleep 1000"));
    TerminalRelay relay(outer.fd(), outer.fd(), pty.master());
    outer.type("hello\n");
    const std::string text = screen_during(relay, outer.master(), "got hello\r\n");
    CHECK(text == "hello\r\ngot hello\r\n");
    CHECK(relay.end() == RelayEnd::none);
    outer.type("\x03");
    screen_during(relay, outer.master());
    CHECK(relay.end() == RelayEnd::terminal_closed);
    CHECK(program.wait() == ExitStatus::killed(SIGINT));
}

TEST_CASE("the descriptors of others are never made non-blocking") {
    const NothingIsLeft nothing_is_left;
    const Terminal outer;
    const Pty pty;
    { const TerminalRelay relay(outer.fd(), outer.fd(), pty.master()); }
    CHECK((fcntl(outer.fd(), F_GETFL) & O_NONBLOCK) == 0);
    CHECK((fcntl(pty.master(), F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("a person who reads slowly gets everything") {
    const NothingIsLeft nothing_is_left;
    const Terminal outer;
    const RawTerminal raw(outer.fd());
    Pty pty;
    Process program = spawn_on(pty, shell("head -c 1000000 /dev/zero | tr '\\0' x"));
    TerminalRelay relay(outer.fd(), outer.fd(), pty.master());
    CHECK(screen_during(relay, outer.master()) == std::string(1'000'000, 'x'));
    CHECK(program.wait().success());
}

TEST_CASE("a long input is typed whole, and then its end, also behind half a line") {
    const NothingIsLeft nothing_is_left;
    TemporaryDirectory directory;
    std::string lines;
    for (int line = 0; line < 20'000; ++line) {
        lines += "line\n";
    }
    const std::string path = directory.file("input", lines, 0600);
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(contains(output_for({.program = "wc", .arguments = {"-l"}}, file.get()), "20000"));

    OpenPipe input;
    type(input.write.get(), "abc");
    input.write.reset();
    const std::string text = output_for({.program = "wc", .arguments = {"-c"}}, input.read.get());
    CHECK(contains(text, "3\r\n"));
}

TEST_CASE("a relay ends with the program, even if another process still has the terminal open") {
    const NothingIsLeft nothing_is_left;
    const Terminal outer;
    const RawTerminal raw(outer.fd());
    Pty pty;
    const Stdio stream = Stdio::descriptor(pty.terminal());
    // No session of its own, or the end of its leader would hang up. Its group is ended by hand.
    SpawnOptions options = shell("sleep 1000 & head -c 100000 /dev/zero | tr '\\0' x");
    options.streams = {stream, stream, stream};
    options.ending.scope = KillScope::process_group;
    Process program = SyncedSpawner(options).spawn();
    const pid_t group = program.pid();
    pty.close_terminal();
    TerminalRelay relay(outer.fd(), outer.fd(), pty.master());
    std::string text = screen_during(relay, outer.master(), std::string(60'000, 'x'));
    // The rest fits into no terminal; so go on until the program has ended, which may be after its last "x".
    while (!program.try_wait()) {
        CHECK_FALSE(relay.advance());
        pollfd loop[]{{relay.descriptor(), POLLIN, 0},
                      {outer.master(), POLLIN, 0},
                      {program.pidfd(), POLLIN, 0}};
        CHECK(poll(loop, 3, -1) > 0);
        look_at_screen(outer.master(), text);
    }
    relay.finish();
    text += screen_during(relay, outer.master());
    CHECK(text == std::string(100'000, 'x'));
    CHECK(relay.end() == RelayEnd::finished);
    CHECK(kill(-group, SIGKILL) == 0);
}

TEST_CASE("a relay that is finished is over, even if another process writes on for ever") {
    const NothingIsLeft nothing_is_left;
    OpenPipe input;
    OpenPipe output;
    Pty pty;
    const Stdio stream = Stdio::descriptor(pty.terminal());
    SpawnOptions options{.program = "yes", .streams = {stream, stream, stream}};
    Process other = SyncedSpawner(options).spawn();
    TerminalRelay relay(input.read.get(), output.write.get(), pty.master());
    for (pollfd shown{output.read.get(), POLLIN, 0}; poll(&shown, 1, 0) == 0;) {
        relay.advance();
    }
    relay.finish();
    // Who reads less at a time than there is to be had never sees an empty terminal.
    char little[512];
    for (pollfd loop{relay.descriptor(), POLLIN, 0}; !relay.advance(); poll(&loop, 1, 0)) {
        CHECK(read(output.read.get(), little, sizeof little) > 0);
    }
    CHECK(relay.end() == RelayEnd::finished);
    other.kill();
}

TEST_CASE("a relay that is over keeps no pipe open") {
    const NothingIsLeft nothing_is_left;
    OpenPipe input;
    OpenPipe output;
    Pty pty;
    Process program = spawn_on(pty, {.program = "true"});
    TerminalRelay relay(input.read.get(), output.write.get(), pty.master());
    run_until_over(relay);
    CHECK(program.wait().success());
    input.read.reset();
    output.write.reset();
    char end = 0;
    CHECK(read(output.read.get(), &end, 1) == 0);
    pollfd writer{input.write.get(), POLLOUT, 0};
    CHECK((poll(&writer, 1, 0) == 1 && (writer.revents & POLLERR) != 0));
}

TEST_CASE("an end that is no descriptor has ended") {
    const NothingIsLeft nothing_is_left;
    OpenPipe input;
    OpenPipe output;
    {
        Pty pty;
        Process program = spawn_on(pty, {.program = "cat"});
        TerminalRelay relay(-1, output.write.get(), pty.master());
        run_until_over(relay);
        CHECK(program.wait().success());
    }
    Pty pty;
    Process program = spawn_on(pty, {.program = "yes"});
    TerminalRelay relay(input.read.get(), -1, pty.master());
    run_until_over(relay);
    CHECK(relay.end() == RelayEnd::output_lost);
    program.kill();
}

TEST_CASE("output that nobody takes ends the relay, without a signal") {
    const NothingIsLeft nothing_is_left;
    OpenPipe output;
    OpenPipe input;
    Pty pty;
    Process program = spawn_on(pty, {.program = "yes"});
    output.read.reset();
    TerminalRelay relay(input.read.get(), output.write.get(), pty.master());
    run_until_over(relay);
    CHECK(relay.end() == RelayEnd::output_lost);
    pty.take_master().reset();
    CHECK(program.wait() == ExitStatus::killed(SIGHUP));
}

TEST_CASE("a relay that was moved from is empty") {
    const Terminal outer;
    const Pty pty;
    TerminalRelay first(outer.fd(), outer.fd(), pty.master());
    TerminalRelay second(std::move(first));
    CHECK(second);
    CHECK(
        !first);  // NOLINT(bugprone-use-after-move,hicpp-invalid-access-moved): this is what is tested
    CHECK_THROWS_AS((void)first.advance(), std::logic_error);
    CHECK_THROWS_AS(TerminalRelay(outer.fd(), outer.fd(), -1), std::system_error);
}
