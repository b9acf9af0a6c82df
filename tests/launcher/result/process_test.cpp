#include <syncspawn/launcher/process.hpp>

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "support/launched.hpp"
#include "support/observe.hpp"
#include "support/skip.hpp"

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// Runs until a signal ends it.
SpawnOptions sleeper(StopActions stop = {Stop::kill()}) {
    return {.program = "sleep", .arguments = {"1000"}, .ending = {.stop = std::move(stop)}};
}

// A shell that has a grandchild, which holds the standard output, and says so. Both run for ever.
SpawnOptions with_grandchild() {
    SpawnOptions options = shell("trap '' HUP; sleep 1000 & echo started; wait");
    options.streams.output = Stdio::pipe();
    return options;
}

void await_line(int fd) {
    for (char letter = 0; letter != '\n';) {
        if (read(fd, &letter, 1) <= 0) {
            throw std::runtime_error("end of file");
        }
    }
}

bool is_gone(pid_t pid) { return kill(pid, 0) < 0 && errno == ESRCH; }

}  // namespace

TEST_CASE("an empty process refuses everything but to be destroyed, moved and asked") {
    Process process;
    CHECK_FALSE(process);
    CHECK_THROWS_AS((void)process.pid(), std::logic_error);
    CHECK_THROWS_AS((void)process.wait(), std::logic_error);
    CHECK_THROWS_AS((void)process.kill(), std::logic_error);
    CHECK_THROWS_AS((void)process.release(), std::logic_error);
    CHECK_THROWS_AS((void)process.standard_input(), std::logic_error);
    Process other = SyncedSpawner({.program = "true"}).spawn();
    process = std::move(other);
    CHECK(process);
    CHECK_FALSE(other);  // NOLINT(bugprone-use-after-move): that is the question
    CHECK(process.wait().success());
}

TEST_CASE("the barrier of a process that has none is misuse, and the error says why") {
    SUBCASE("because none was handed over") {
        Process process = SyncedSpawner({.program = "true"}).spawn();
        CHECK_THROWS_WITH_AS((void)process.barrier(),
                             "syncspawn::Process: the barrier was not handed over",
                             std::logic_error);
    }
    SUBCASE("because it was moved out") {
        Process process =
            SyncedSpawner({.program = "true", .readiness = {.hand_over = HandOver::barrier}})
                .spawn();
        const Barrier moved = process.take_barrier();
        CHECK(moved.is_open());
        const char* const complaint = "syncspawn::Process: the barrier was moved out";
        CHECK_THROWS_WITH_AS((void)process.barrier(), complaint, std::logic_error);
        CHECK_THROWS_WITH_AS((void)process.take_barrier(), complaint, std::logic_error);
    }
}

TEST_CASE("a stream of a process that has none is misuse, and the error says why") {
    SpawnOptions options{.program = "cat"};
    options.streams = {.input = Stdio::pipe(), .output = Stdio::null()};
    Process process = SyncedSpawner(options).spawn();
    CHECK(process.standard_output() == -1);
    CHECK_THROWS_WITH_AS((void)process.take_standard_output(),
                         "syncspawn::Process: the standard output is no Stdio::pipe()",
                         std::logic_error);
    CHECK_THROWS_AS((void)process.take_standard_error(), std::logic_error);
    const int number = process.standard_input();
    CHECK(number >= 0);
    {
        const UniqueFd input = process.take_standard_input();
        CHECK(input.get() == number);
        CHECK(process.standard_input() == -1);
        CHECK_THROWS_WITH_AS((void)process.take_standard_input(),
                             "syncspawn::Process: the standard input was moved out",
                             std::logic_error);
    }
    CHECK(process.wait().success());
}

TEST_CASE("wait gives the status, and again the same") {
    Process process = SyncedSpawner(shell("exit 7")).spawn();
    CHECK(process.wait() == ExitStatus::exited(7));
    CHECK(process.wait() == ExitStatus::exited(7));
    CHECK(process.try_wait() == ExitStatus::exited(7));
    CHECK(process.kill() == ExitStatus::exited(7));
    process.signal(SIGKILL);
}

TEST_CASE("what a process has used is known once it is reaped") {
    Process process =
        SyncedSpawner(shell("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done")).spawn();
    CHECK_FALSE(process.usage());
    CHECK(process.wait().success());
    REQUIRE(process.usage());
    CHECK(process.usage()->processor_time() > 0ns);
    CHECK(process.usage()->max_resident_bytes > 4096);
    CHECK(process.usage()->minor_faults > 0);
    Process moved = std::move(process);
    CHECK(moved.usage());
}

TEST_CASE("what a process has used is not known if somebody else has reaped it") {
    Process process = SyncedSpawner({.program = "true"}).spawn();
    CHECK(waitpid(process.pid(), nullptr, 0) == process.pid());
    CHECK(process.wait().kind() == ExitStatus::Kind::unknown);
    CHECK_FALSE(process.usage());
}

TEST_CASE("try_wait and wait_until have no status while the process runs") {
    Process process = SyncedSpawner(sleeper()).spawn();
    CHECK_FALSE(process.try_wait());
    CHECK_FALSE(process.wait_until(std::chrono::steady_clock::now() + 1ms));
    CHECK_FALSE(process.wait_for(1ms));
    CHECK_FALSE(process.wait_for(-1h));
    process.signal(SIGUSR1);
    CHECK(process.wait_until(std::chrono::steady_clock::now() + 60s) ==
          ExitStatus::killed(SIGUSR1));
    CHECK(process.wait_for(std::chrono::nanoseconds::max()) == ExitStatus::killed(SIGUSR1));
}

TEST_CASE("the pidfd is readable once the process has ended") {
    Process process = SyncedSpawner(sleeper()).spawn();
    pollfd watched{process.pidfd(), POLLIN, 0};
    CHECK(poll(&watched, 1, 0) == 0);
    process.signal(SIGTERM);
    CHECK(poll(&watched, 1, -1) == 1);
    CHECK(process.try_wait() == ExitStatus::killed(SIGTERM));
}

TEST_CASE("terminate ends a process that obeys without waiting for the grace") {
    CHECK(SyncedSpawner(sleeper()).spawn().terminate(1h) == ExitStatus::killed(SIGTERM));
    // The longest grace that there is must not wrap round to one that has passed.
    SpawnOptions options = shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    options.streams.output = Stdio::pipe();
    Process process = SyncedSpawner(options).spawn();
    await_line(process.standard_output());
    CHECK(process.terminate(std::chrono::nanoseconds::max()) == ExitStatus::exited(3));
}

TEST_CASE("terminate kills a process that ignores SIGTERM after the grace") {
    // An ignored signal stays ignored after execve.
    SpawnOptions options = shell("trap '' TERM; echo ignored; exec sleep 1000");
    options.streams.output = Stdio::pipe();
    Process process = SyncedSpawner(options).spawn();
    await_line(process.standard_output());
    CHECK(process.terminate(1ms) == ExitStatus::killed(SIGKILL));
}

TEST_CASE("a process that is destroyed is killed and reaped by default") {
    pid_t pid = -1;
    {
        const Process process = SyncedSpawner(sleeper()).spawn();
        pid = process.pid();
    }
    CHECK(is_gone(pid));
    CHECK(count_children() == 0);
}

TEST_CASE("a process that another one is assigned to is treated as a destroyed one") {
    Process process = SyncedSpawner(sleeper()).spawn();
    const pid_t pid = process.pid();
    process = SyncedSpawner(sleeper()).spawn();
    CHECK(is_gone(pid));
    CHECK_FALSE(process.try_wait());
}

TEST_CASE("a process that is to be terminated upon destruction gets SIGTERM first") {
    SpawnOptions options = shell(
        "trap 'echo termed; exit' TERM; echo ready; "
        "while :; do sleep 0.01; done");
    options.streams.output = Stdio::pipe();
    options.ending.stop = {Stop::terminate(1h), Stop::kill()};
    UniqueFd output;
    {
        Process process = SyncedSpawner(options).spawn();
        output = process.take_standard_output();
        await_line(output.get());
    }
    CHECK(read_all(output.get()) == "termed\n");
}

TEST_CASE("a process that is to be waited for upon destruction ends by itself") {
    SpawnOptions options = shell("read line; echo $line");
    options.streams.input = Stdio::pipe();
    options.streams.output = Stdio::pipe();
    options.ending.stop = {Stop::wait()};
    UniqueFd output;
    {
        Process process = SyncedSpawner(options).spawn();
        output = process.take_standard_output();
        REQUIRE(write(process.standard_input(), "text\n", 5) == 5);
    }
    CHECK(count_children() == 0);
    CHECK(read_all(output.get()) == "text\n");
}

TEST_CASE("a process that is released lives on and is the caller's to reap") {
    pid_t pid = -1;
    SUBCASE("by release()") { pid = SyncedSpawner(sleeper()).spawn().release(); }
    SUBCASE("upon destruction") {
        const Process process = SyncedSpawner(sleeper({})).spawn();
        pid = process.pid();
    }
    REQUIRE(kill(pid, SIGTERM) == 0);
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
}

TEST_CASE("a kill of the process group reaches the grandchildren") {
    SpawnOptions options = with_grandchild();
    options.ending.scope = KillScope::process_group;
    Process process = SyncedSpawner(options).spawn();
    CHECK(getpgid(process.pid()) == process.pid());
    await_line(process.standard_output());
    SUBCASE("by kill()") { CHECK(process.kill() == ExitStatus::killed(SIGKILL)); }
    SUBCASE("by terminate(), of which the shell is told too") {
        CHECK(process.terminate(1h) == ExitStatus::killed(SIGTERM));
    }
    // Ends only when the grandchild, too, has let go of it.
    CHECK(read_all(process.standard_output()) == "");
}

TEST_CASE("a kill of the process alone leaves the grandchild") {
    Peer peer([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that it can be ended and reaped here
        Process process = SyncedSpawner(with_grandchild()).spawn();
        await_line(process.standard_output());
        expect(process.kill() == ExitStatus::killed(SIGKILL));
        siginfo_t info{};
        expect(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0);
        const pid_t grandchild =
            std::stoi(read_file("/proc/self/task/" + std::to_string(getpid()) + "/children"));
        kill(grandchild, SIGKILL);
        expect(waitpid(grandchild, nullptr, 0) == grandchild);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a kill reaches everything in a pid namespace") {
    SpawnOptions options = with_grandchild();
    options.birth.namespaces = Namespaces::pid;
    SpawnError error;
    Process process = SyncedSpawner(options).spawn(error);
    if (error.code() == std::errc::operation_not_permitted) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    REQUIRE_FALSE(error);
    await_line(process.standard_output());
    CHECK(process.kill() == ExitStatus::killed(SIGKILL));
    CHECK(read_all(process.standard_output()) == "");
}

TEST_CASE("a child in a pid namespace of its own sets up in step like any other") {
    SpawnOptions options = shell("echo $$");
    options.birth.namespaces = Namespaces::pid | Namespaces::uts;
    options.streams.output = Stdio::pipe();
    options.readiness.within.reset();
    SyncedSpawner spawner(options);
    spawner.step({.name = "first", .child = async_signal_safe([](ChildSide& side) {
                                       return getpid() == 1 && getppid() == 0
                                                  ? side.done()
                                                  : side.fail(ESRCH, "pid");
                                   })});
    spawner.rendezvous("both");
    SpawnError error;
    Process process = spawner.spawn(error);
    if (error.code() == std::errc::operation_not_permitted) {
        SKIP_TEST("this machine forbids new namespaces");
    }
    REQUIRE_FALSE(error);
    CHECK(read_all(process.standard_output()) == "1\n");
    CHECK(process.wait().success());
}

TEST_CASE("with SIGCHLD ignored the status is unknown, and nothing else changes") {
    Peer peer([] {
        signal(SIGCHLD, SIG_IGN);
        Process process = SyncedSpawner(shell("exit 7")).spawn();
        expect(process.wait() == ExitStatus::unknown());
        expect_same(failure_of({.program = "/nowhere"}).what(),
                    "execve '/nowhere' in the child: no such file or directory");
        SyncedSpawner spawner({.program = "true"});
        spawner.step({.name = "x", .child = async_signal_safe([](ChildSide&) { _exit(7); })});
        expect_same(failure_of(spawner).what(),
                    "the child ended; somebody else took its status in step 'x'");
        expect(count_children() == 0);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a status that a foreign waitpid took is unknown") {
    Process process = SyncedSpawner(shell("exit 7")).spawn();
    int status = 0;
    while (waitpid(process.pid(), &status, 0) < 0 && errno == EINTR) {
    }
    CHECK(WEXITSTATUS(status) == 7);
    CHECK(process.wait() == ExitStatus::unknown());
    CHECK(process.wait().shell_code() == 125);
}

TEST_CASE("the timeline tells what each side did until the program ran") {
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .child = async_signal_safe([](ChildSide&) {})});
    std::string child;
    std::string parent;
    auto last = std::chrono::nanoseconds(0);
    Process process = spawner.spawn();
    for (const TimelineEvent& event : process.timeline()) {
        (event.side == WhichSide::child ? child : parent) += event.what + "; ";
        CHECK(event.at >= last);
        last = event.at;
    }
    CHECK(child ==
          "started; x ...; x: done; waits at [ready to exec]; passes [ready to exec]; "
          "execve 'true'; ");
    CHECK(parent ==
          "starts the child; waits at [ready to exec]; passes [ready to exec]; sees the "
          "program run; ");
    CHECK(draw(process.timeline()).find("| execve 'true'\n") != std::string::npos);
}
