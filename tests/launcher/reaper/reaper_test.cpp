#include <syncspawn/launcher/birth.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <syncspawn/steps.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/ordinary_user.hpp"
#include "support/reaper.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/ways_to_launch.hpp"

// FirstProcess::reaper: what a launch, its program and its Process are like with one.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

Process spawn_with_reaper(SpawnOptions options, StartMethod method = StartMethod::automatic) {
    return SyncedSpawner(with_reaper(std::move(options), method)).spawn();
}

void await_line(const Process& process) {
    char byte = 0;
    while (byte != '\n') {
        REQUIRE(read(process.standard_output(), &byte, 1) == 1);
    }
}

SpawnOptions talking_shell(std::string text) {
    SpawnOptions options = shell(std::move(text));
    options.streams.input = Stdio::pipe();
    options.streams.output = Stdio::pipe();
    return options;
}

}  // namespace

TEST_CASE("the program is a child of the first process, and its every exit code is told") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        const NothingIsLeft check;
        Process process = spawn_with_reaper(shell("test $$ -gt 1 && exit $PPID"), method);
        CHECK(process.start_method() == method);
        CHECK(process.wait() == ExitStatus::exited(1));
        for (int code = 0; code < 256; ++code) {
            Process one = spawn_with_reaper(shell("exit " + std::to_string(code)), method);
            CHECK(one.wait() == ExitStatus::exited(code));
        }
    }
}

TEST_CASE("the signal that ended the program is told") {
    SKIP_WITHOUT_REAPERS();
    for (const int signal : {SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGTERM, SIGSYS, SIGRTMAX}) {
        SpawnOptions options = shell("kill -" + std::to_string(signal) + " $$; sleep 1000");
        options.signals.ignored = IgnoredSignals::reset;
        CHECK(spawn_with_reaper(options).wait() == ExitStatus::killed(signal));
    }
}

TEST_CASE("what is orphaned is reaped while the program runs") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        Process process = spawn_with_reaper(
            talking_shell("i=0; while [ $i -lt 50 ]; do (: &); i=$((i+1)); done; echo; read line"),
            method);
        await_line(process);
        CHECK(comes_true([&] { return children_of(process.pid()).size() == 1; }));
        CHECK(process.kill() == ExitStatus::killed(SIGKILL));
    }
}

TEST_CASE("what the program has started ends with it, and so do the captured streams") {
    SKIP_WITHOUT_REAPERS();
    const NothingIsLeft check;
    const RunResult result =
        run(with_reaper(shell("sleep 1000 & setsid sleep 1000 & echo written; exit 3")));
    CHECK(result.output == "written\n");
    CHECK(result.status == ExitStatus::exited(3));
}

TEST_CASE("a lasting reaper stays until the last process is gone") {
    SKIP_WITHOUT_REAPERS();
    int gate[2];
    REQUIRE(pipe2(gate, O_CLOEXEC) == 0);
    UniqueFd read_end(gate[0]);
    UniqueFd write_end(gate[1]);
    SpawnOptions options = talking_shell("{ read line <&5; echo last; } & exit 5");
    options.descriptors.passed = {{gate[0], 5}};
    Process process = SyncedSpawner(with_reaper(std::move(options), StartMethod::automatic,
                                                FirstProcess::lasting_reaper))
                          .spawn();
    const pid_t reaper = process.pid();
    // It has become the reaper's child because the program has ended.
    CHECK(comes_true([&] {
        const pid_t last = program_of(reaper);
        return last > 0 &&
               value_in("/proc/" + std::to_string(last) + "/status", "NSpid").ends_with("3");
    }));
    CHECK_FALSE(process.try_wait());
    write_end.reset();
    CHECK(read_all(process.standard_output()) == "last\n");
    CHECK(process.wait() == ExitStatus::exited(5));
}

TEST_CASE("the reaper has one descriptor, and the program its own alone") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        SpawnOptions options = talking_shell("echo; read line");
        options.descriptors.passed = {{STDERR_FILENO, 7}};
        options.ending.die_with_parent = true;
        const Process process = spawn_with_reaper(std::move(options), method);
        await_line(process);
        // It may still have a look at the launcher.
        CHECK(comes_true([&] { return descriptors_of(process.pid()) == "0"; }));
        CHECK(descriptors_of(program_of(process.pid())) == "0 1 2 7");
    }
}

TEST_CASE("nothing of the launcher's memory is in the reaper, which has a name") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        const Process process = spawn_with_reaper(talking_shell("read line"), method);
        const std::string proc = "/proc/" + std::to_string(process.pid());
        CHECK(comes_true([&] { return read_file(proc + "/comm") == "reaper\n"; }));
        const std::string maps = read_file(proc + "/maps");
        CHECK(maps.find("test_reaper") == std::string::npos);
        CHECK(maps.find("libc") == std::string::npos);
        CHECK(maps.find("[heap]") == std::string::npos);
    }
}

TEST_CASE("usage is that of the program") {
    SKIP_WITHOUT_REAPERS();
    Process process =
        spawn_with_reaper(shell("head -c 50000000 /dev/zero | tail -c 40000000 | wc -c"));
    CHECK(process.wait().success());
    REQUIRE(process.usage());
    CHECK(process.usage()->max_resident_bytes > 40'000'000);
    CHECK(process.usage()->user_time.count() > 0);
}

TEST_CASE("the first process is closed to the program, also while that has the launcher's memory") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        Peer peer([&] {
            become_ordinary_user();
            SpawnOptions options = talking_shell("echo; read line");
            options.birth.namespaces = Namespaces::user;
            SyncedSpawner spawner(with_reaper(std::move(options), method));
            // The program's process, which is in the memory of the first.
            spawner.step({.name = "look", .last = shared_memory([](ChildSide& side) {
                                              const int memory =
                                                  open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
                                              return memory < 0 && errno == EACCES
                                                         ? side.done()
                                                         : side.fail(EPERM, "it can be opened");
                                          })});
            SpawnError error;
            Process process = spawner.spawn(error);
            if (error && error.stage() == Stage::start) {
                leave_out_here("this machine forbids user namespaces");
            }
            expect_same(error.what(), SpawnError().what());
            char byte = 0;
            expect(read(process.standard_output(), &byte, 1) == 1);
            struct stat about {};
            const std::string memory = "/proc/" + std::to_string(process.pid()) + "/mem";
            expect(stat(memory.c_str(), &about) == 0 && about.st_uid == 0);
            process.kill();
        });
        CHECK_REACHED_THE_END_OR_SKIP(peer);
    }
}

TEST_CASE("an ordinary user has one in a user namespace, and in an event loop") {
    Peer peer([] {
        become_ordinary_user();
        for (const StartMethod method : start_methods()) {
            for (const Way way : both_ways) {
                SyncedSpawner spawner(
                    with_reaper(shell("test $(id -u) = 0 && exit $PPID"), method));
                spawner.step(steps::map_root());
                SpawnError error;
                Process process = way(spawner, error);
                if (error && error.stage() == Stage::start) {
                    leave_out_here("this machine forbids user namespaces");
                }
                expect_same(error.what(), SpawnError().what());
                expect(process.wait() == ExitStatus::exited(1));
            }
        }
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a program that gets the barrier says that it is ready, by its own pid") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        for (const Way way : both_ways) {
            SpawnError error;
            SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
                                 .arguments = {"is ready"},
                                 .readiness = {.within = 60s}};
            Process process = way(SyncedSpawner(with_reaper(std::move(options), method)), error);
            CHECK_FALSE(error);
            CHECK(process.wait() == ExitStatus::exited(42));
        }
    }
}

TEST_CASE("an ignored SIGCHLD costs the reaper nothing, and the program has it") {
    SKIP_WITHOUT_REAPERS();
    Peer peer([] {
        expect(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        SpawnOptions options =
            shell("test -n \"$(grep SigIgn /proc/self/status | grep '.*1....$')\"; exit 7");
        Process process = spawn_with_reaper(std::move(options));
        expect(process.wait() == ExitStatus::exited(7));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("an empty root without /proc is enough") {
    if (geteuid() != 0) {
        SKIP_TEST("only root may change its root without a user namespace");
    }
    SKIP_WITHOUT_REAPERS();
    const TemporaryDirectory root;
    std::filesystem::copy_file(SYNCSPAWN_TEST_HELPERS "/bare_program", root / "program");
    REQUIRE(chmod(root.path().c_str(), 0755) == 0);
    for (const StartMethod method : start_methods()) {
        SpawnOptions options{.program = "/program", .environment = {}};
        options.streams.output = Stdio::pipe();
        SyncedSpawner spawner(with_reaper(std::move(options), method));
        spawner.step({.name = "root", .child = shared_memory([&](ChildSide& side) {
                                          return chroot(root.path().c_str()) < 0 || chdir("/") < 0
                                                     ? side.fail("chroot")
                                                     : side.done();
                                      })});
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "ran");
        CHECK(process.wait() == ExitStatus::exited(42));
    }
}

TEST_CASE("who reaps it without the library gets what a shell would say") {
    SKIP_WITHOUT_REAPERS();
    for (const auto& [text, code] : {std::pair{"exit 9", 9}, {"kill -TERM $$", 128 + SIGTERM}}) {
        const pid_t pid = spawn_with_reaper(shell(text)).release();
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK((WIFEXITED(status) && WEXITSTATUS(status) == code));
    }
}

TEST_CASE("the memory file is made again if the application has closed it") {
    SKIP_WITHOUT_REAPERS();
    Peer peer([] {
        for (int round = 0; round < 3; ++round) {
            closefrom(3);
            // The number of the old one is another file's now.
            for (int number = 0; number < 30; ++number) {
                (void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
            }
            expect(spawn_with_reaper(shell("exit 4")).wait() == ExitStatus::exited(4));
        }
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a reaper without a pid namespace is refused when it is asked for") {
    CHECK_THROWS_AS(
        SyncedSpawner({.program = "true", .birth = {.first_process = FirstProcess::reaper}}),
        std::invalid_argument);
}
