#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/steps.hpp"
#include "support/terminal.hpp"

// steps::new_session() and controlling_terminal().

using namespace syncspawn;
using namespace syncspawn::testing;
namespace steps = syncspawn::steps;

namespace {

constexpr std::array scopes{KillScope::process, KillScope::process_group, KillScope::session};

SpawnOptions with_scope(SpawnOptions options, KillScope scope,
                        StartMethod method = StartMethod::automatic) {
    options.ending.scope = scope;
    options.birth.method = method;
    return options;
}

const SpawnOptions endless{.program = "sleep", .arguments = {"1000"}};

}  // namespace

TEST_CASE("the program leads a session of its own, whatever it led before") {
    const pid_t before = getsid(0);
    for (const StartMethod method : start_methods()) {
        for (const KillScope scope : scopes) {
            const Process process =
                with_step(with_scope(endless, scope, method), steps::new_session()).spawn();
            CHECK(getsid(process.pid()) == process.pid());
            CHECK(getpgid(process.pid()) == process.pid());
        }
    }
    CHECK(getsid(0) == before);
}

TEST_CASE("the group that the program leads in the new session is ended with it") {
    for (const KillScope scope : {KillScope::process_group, KillScope::session}) {
        SpawnOptions options = with_scope(shell("sleep 1000 & echo x; wait"), scope);
        options.streams.output = Stdio::pipe();
        Process process = with_step(options, steps::new_session()).spawn();
        char byte = 0;
        CHECK(read(process.standard_output(), &byte, 1) == 1);
        const UniqueFd output = process.take_standard_output();
        process.kill();
        // Its end comes when nobody holds the pipe any more.
        CHECK(read_all(output.get()) == "\n");
    }
}

TEST_CASE("in a pid namespace at birth, the leader of a group cannot leave it, and is told so") {
    for (const KillScope scope : scopes) {
        SpawnOptions options = with_scope(endless, scope);
        options.birth.namespaces = Namespaces::user | Namespaces::pid;
        if (failure_of(options)) {
            SKIP_TEST("this machine forbids new namespaces");
        }
        const std::string error = error_with(options, steps::new_session());
        CHECK(error ==
              (scope == KillScope::process_group
                   ? "new session in the child: setsid: operation not permitted (the child "
                     "leads a process group already; KillScope::session makes it lead both)"
                   : "no error"));
    }
}

TEST_CASE("the terminal controls the program's session, which is in the foreground") {
    for (const StartMethod method : start_methods()) {
        for (const KillScope scope : scopes) {
            const Terminal terminal;
            const Process process = with_step(with_scope(endless, scope, method),
                                              steps::controlling_terminal(terminal.fd()))
                                        .spawn();
            CHECK(getsid(process.pid()) == process.pid());
            CHECK(terminal.session() == process.pid());
            CHECK(terminal.foreground() == process.pid());
        }
    }
}

TEST_CASE("what is typed at the terminal reaches the program, and ^C interrupts it") {
    const Terminal terminal;
    const Stdio stream = Stdio::descriptor(terminal.fd());
    SpawnOptions options = shell("read -r line < /dev/tty; echo \"$line\" >&3; exec sleep 1000");
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd output(ends[0]);
    UniqueFd input(ends[1]);
    options.streams = {stream, stream, stream};
    options.descriptors.passed = {{input.get(), 3}};
    Process process = with_step(options, steps::controlling_terminal(terminal.fd())).spawn();
    input.reset();
    terminal.type("hello\n");
    std::array<char, 6> line{};
    CHECK(read(output.get(), line.data(), line.size()) == 6);
    CHECK(std::string(line.data(), line.size()) == "hello\n");
    terminal.type("\x03");
    CHECK(process.wait() == ExitStatus::killed(SIGINT));
}

TEST_CASE("a terminal that controls another session is told so, and what is none, too") {
    const Terminal terminal;
    const SyncedSpawner spawner = with_step(endless, steps::controlling_terminal(terminal.fd()));
    const Process first = spawner.spawn();
    CHECK(std::string(failure_of(spawner).what()) ==
          "controlling terminal in the child: ioctl(TIOCSCTTY): the terminal controls another "
          "session: operation not permitted");
    CHECK(terminal.session() == first.pid());
    const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
    CHECK(error_with(endless, steps::controlling_terminal(file.get())) ==
          "controlling terminal in the child: ioctl(TIOCSCTTY): inappropriate ioctl for device");
}

TEST_CASE("a terminal that is no descriptor is refused") {
    CHECK(thrown_by<std::invalid_argument>([] { (void)steps::controlling_terminal(-1); }) ==
          "syncspawn: the controlling terminal must be a descriptor");
}
