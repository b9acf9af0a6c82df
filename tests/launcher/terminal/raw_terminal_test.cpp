#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <system_error>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/nothing_is_left.hpp"
#include "support/peer.hpp"
#include "support/terminals.hpp"

// One's own terminal, raw for a while. It is that of a helper or a peer, and the test holds its master.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// Settings that nothing has by default.
termios make_odd(int terminal) {
    termios settings = settings_of(terminal);
    settings.c_lflag &= ~tcflag_t{ECHOE};
    settings.c_cc[VINTR] = 7;
    settings.c_cc[VMIN] = 3;
    REQUIRE(tcsetattr(terminal, TCSANOW, &settings) == 0);
    return settings;
}

// The helper of this name, with its terminal, and a pipe on which it says that it is raw.
class Helper {
public:
    explicit Helper(Pty& pty, std::vector<std::string> arguments = {}) {
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        says_.reset(ends[0]);
        const UniqueFd written(ends[1]);
        process_ = spawn_on(pty, {.program = SYNCSPAWN_TEST_HELPERS "/raw_terminal",
                                  .arguments = std::move(arguments),
                                  .descriptors = {.passed = {{written.get(), 3}}}});
    }
    void await_raw() const {
        char byte = 0;
        CHECK(read(says_.get(), &byte, 1) == 1);
        CHECK(byte == 'r');
    }
    Process& process() noexcept { return process_; }

private:
    UniqueFd says_;
    Process process_;
};

}  // namespace

TEST_CASE("a terminal is raw as long as the object is there, and then exactly as before") {
    const Pty pty;
    const termios before = make_odd(pty.terminal());
    {
        RawTerminal raw(pty.terminal());
        CHECK(is_raw(pty.terminal()));
        CHECK(raw.is_raw());
        CHECK(are_same(raw.settings(), before));
        raw.restore();
        CHECK(are_same(settings_of(pty.terminal()), before));
        CHECK(!raw.is_raw());
        raw.resume();
        CHECK(is_raw(pty.terminal()));
    }
    CHECK(are_same(settings_of(pty.terminal()), before));
}

TEST_CASE("what was typed but not read is kept") {
    const Pty pty;
    type(pty.master(), "abc\n");
    { const RawTerminal raw(pty.terminal()); }
    char text[8];
    CHECK(read(pty.terminal(), text, sizeof text) == 4);
}

TEST_CASE("what is no terminal cannot be raw") {
    const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
    CHECK_THROWS_AS(RawTerminal raw(file.get()), std::system_error);
}

TEST_CASE("exit(3) and a signal restore it, and so does a stop until the process continues") {
    const NothingIsLeft nothing_is_left;
    {
        Pty pty;
        const termios before = make_odd(pty.terminal());
        Helper helper(pty, {"exit"});
        helper.await_raw();
        CHECK(helper.process().wait().success());
        CHECK(are_same(settings_of(pty.master()), before));
    }
    Pty pty;
    const termios before = make_odd(pty.terminal());
    Helper helper(pty);
    helper.await_raw();
    CHECK(is_raw(pty.master()));
    helper.process().signal(SIGTSTP);
    CHECK(comes_to_state(helper.process().pid(), 'T'));
    CHECK(are_same(settings_of(pty.master()), before));
    helper.process().signal(SIGCONT);
    helper.await_raw();
    CHECK(is_raw(pty.master()));
    helper.process().signal(SIGTERM);
    CHECK(helper.process().wait() == ExitStatus::killed(SIGTERM));
    CHECK(are_same(settings_of(pty.master()), before));
}

TEST_CASE("in the background nothing is changed: the terminal is another's") {
    const Pty pty;
    const termios before = make_odd(pty.terminal());
    Peer peer([&] {
        expect(setsid() > 0);
        expect(ioctl(pty.terminal(), TIOCSCTTY, 0) == 0);
        const pid_t other = fork();
        if (other == 0) {
            pause();
        }
        expect(setpgid(other, other) == 0);
        RawTerminal raw(pty.terminal());
        expect(tcsetpgrp(pty.terminal(), other) == 0);
        raw.restore();
        expect(raw.is_raw());
        termios now{};
        expect(tcgetattr(pty.terminal(), &now) == 0 && (now.c_lflag & ICANON) == 0);
        // Nobody is to stop this process for coming back.
        signal(SIGTTOU, SIG_IGN);
        expect(tcsetpgrp(pty.terminal(), getpgrp()) == 0);
        raw.restore();
        expect(!raw.is_raw());
        expect(tcsetpgrp(pty.terminal(), other) == 0);
        raw.resume();
        expect(!raw.is_raw());
        kill(other, SIGKILL);
    });
    CHECK(peer.ending() == reached_the_end);
    CHECK(are_same(settings_of(pty.terminal()), before));
}

TEST_CASE("in the copy of a fork the object does nothing") {
    const Pty pty;
    const RawTerminal raw(pty.terminal());
    Peer peer([&] { const_cast<RawTerminal&>(raw).restore(); });
    CHECK(peer.ending() == reached_the_end);
    CHECK(is_raw(pty.terminal()));
}
