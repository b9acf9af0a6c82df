#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/namespaces.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/reaper.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"
#include "support/skip.hpp"
#include "support/ways_to_launch.hpp"

// Launches with a reaper that fail say the same as those without, and leave nothing. So does the death of any of the
// processes at any time.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

// Ends those system calls so; all others are allowed.
std::error_code end_calls(ChildSide& side, const std::array<long, 3>& numbers,
                          std::uint32_t how) noexcept {
    std::array<sock_filter, 6> code{};
    std::size_t size = 0;
    code[size++] = {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)};
    for (std::size_t index = 0; index < numbers.size(); ++index) {
        code[size++] = {BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(3 - index), 0,
                        static_cast<std::uint32_t>(numbers.at(index))};
    }
    code[size++] = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    code[size++] = {BPF_RET | BPF_K, 0, 0, how};
    const sock_fprog program{static_cast<unsigned short>(size), code.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0
               ? side.fail("prctl")
               : side.done();
}

ChildPart ending_calls(std::array<long, 3> numbers, std::uint32_t how = SECCOMP_RET_KILL_PROCESS) {
    return shared_memory([=](ChildSide& side) { return end_calls(side, numbers, how); });
}

// The same error, with a reaper and without.
void check_same_text(const SpawnOptions& options, const Step& step, const char* begins) {
    for (const StartMethod method : start_methods()) {
        for (const Way way : both_ways) {
            const NothingIsLeft check;
            SyncedSpawner with(with_reaper(options, method));
            SyncedSpawner without(with_reaper(options, method, FirstProcess::program));
            if (!step.name.empty()) {
                with.step(step);
                without.step(step);
            }
            const std::string text = text_after(way, with);
            CHECK(text == text_after(way, without));
            CHECK(text.substr(0, std::string(begins).size()) == begins);
        }
    }
}

}  // namespace

TEST_CASE("a program that cannot be executed is diagnosed in full") {
    SKIP_WITHOUT_REAPERS();
    const TemporaryDirectory directory;
    const auto check = [](const std::string& program, const char* text) {
        check_same_text({.program = program}, {}, text);
    };
    check("/nowhere", "execve '/nowhere' in the child: no such file or directory");
    check(directory.file("script", "#!/no/interpreter\n", 0755),
          ("execve '" + directory / "script" +
           "' in the child: no such file or directory (its interpreter '/no/interpreter', named in "
           "its first line, does not exist")
              .c_str());
    check(directory.file("plain", "x", 0644),
          ("execve '" + directory / "plain" +
           "' in the child: permission denied (it has no execute permission for this user")
              .c_str());
    check_same_text({.program = "no-such-program",
                     .environment = Environment::current().set("PATH", "/nowhere")},
                    {}, "execve 'no-such-program' in the child: no such file or directory");
}

TEST_CASE("a part that fails, in the first process or in the program's, is named") {
    SKIP_WITHOUT_REAPERS();
    const auto fails = shared_memory([](ChildSide& side) { return side.fail(EIO, "x"); });
    check_same_text({.program = "true"}, {.name = "early", .child = fails},
                    "early in the child: x");
    check_same_text({.program = "true"}, {.name = "last", .last = fails}, "last in the child: x");
    check_same_text(
        {.program = "true"},
        {.name = "parent", .parent = [](ParentSide& side) { return side.fail(EIO, "x"); }},
        "parent in the parent: x");
    SpawnOptions nowhere{.program = "true", .working_directory = "/nowhere"};
    check_same_text(nowhere, {}, "chdir to '/nowhere' in the child");
    SpawnOptions crowded{.program = "true", .descriptors = {.passed = {{0, 900'000'000}}}};
    check_same_text(crowded, {}, "");
}

TEST_CASE("a program that does not become ready is described as ever") {
    SKIP_WITHOUT_REAPERS();
    const auto check = [](const char* does, std::chrono::nanoseconds within, const char* text) {
        check_same_text({.program = SYNCSPAWN_TEST_HELPERS "/launch_readiness",
                         .arguments = {does},
                         .setup = {.abort_grace = 0ns},
                         .readiness = {.within = within}},
                        {}, text);
    };
    // This program never attaches, so the time may be as short as one likes.
    check("sleeps", 50ms,
          "the program was not ready within 50 ms; the program itself never attached");
    check("exits", 60s, "the program exited with code 3 before it was ready");
    check("aborts", 60s, "the program aborted the barrier before it was ready");
}

TEST_CASE("the death of either process during the setup is told, and leaves nothing") {
    SKIP_WITHOUT_REAPERS();
    const auto die = shared_memory([](ChildSide&) {
        kill(getpid(), SIGSEGV);
        _exit(9);
    });
    check_same_text({.program = "true"},
                    {.name = "late", .last = shared_memory([](ChildSide&) { _exit(9); })},
                    "the child exited with code 9 in step 'late'");
    check_same_text({.program = "true"},
                    {.name = "early", .child = shared_memory([](ChildSide&) { _exit(9); })},
                    "the child exited with code 9 in step 'early'");
    for (const StartMethod method : start_methods()) {
        const NothingIsLeft check;
        SyncedSpawner spawner(with_reaper({.program = "true"}, method));
        spawner.step({.name = "killed",
                      .parent = [](ParentSide& side) { kill(side.child_pid(), SIGKILL); }});
        CHECK(failure_of(spawner).status() == ExitStatus::killed(SIGKILL));
        SyncedSpawner last(with_reaper({.program = "true"}, method));
        last.step({.name = "dies", .last = die});
        CHECK(failure_of(last).status() == ExitStatus::killed(SIGSEGV));
    }
}

TEST_CASE("a filter behind all else binds the program and not the reaper") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        SpawnOptions options{.program = SYNCSPAWN_TEST_HELPERS "/bare_program"};
        options.streams.output = Stdio::pipe();
        SyncedSpawner spawner(with_reaper(std::move(options), method));
        spawner.step(
            {.name = "filter", .last = ending_calls({SYS_wait4, SYS_ppoll, SYS_rt_sigtimedwait})});
        Process process = spawner.spawn();
        CHECK(read_all(process.standard_output()) == "ran");
        CHECK(process.wait() == ExitStatus::exited(42));
    }
    check_same_text({.program = "true"},
                    {.name = "filter", .last = ending_calls({SYS_execve, SYS_ppoll, SYS_wait4})},
                    "the child was killed by SIGSYS in execve 'true'");
}

TEST_CASE("a program that cannot be executed has not run, whatever session its process is in") {
    SKIP_WITHOUT_REAPERS();
    const auto new_session = shared_memory(
        [](ChildSide& side) { return setsid() < 0 ? side.fail("setsid") : side.done(); });
    for (const StartMethod method : start_methods()) {
        for (const Way way : both_ways) {
            const NothingIsLeft check;
            SyncedSpawner killed(with_reaper({.program = "true"}, method));
            killed.step({.name = "session", .last = new_session});
            killed.step(
                {.name = "filter", .last = ending_calls({SYS_execve, SYS_ppoll, SYS_wait4})});
            SpawnError error;
            (void)way(killed, error);
            CHECK(std::string(error.what())
                      .starts_with("the child was killed by SIGSYS in execve 'true'"));
            CHECK(error.status() == ExitStatus::killed(SIGSYS));
            CHECK_FALSE(error.program_may_have_run());

            SyncedSpawner missing(with_reaper({.program = "/nowhere"}, method));
            missing.step({.name = "session", .last = new_session});
            CHECK(text_after(way, missing) ==
                  "execve '/nowhere' in the child: no such file or directory");
            SyncedSpawner runs(with_reaper(shell("exit 7"), method));
            runs.step({.name = "session", .last = new_session});
            CHECK(way(runs, error).wait() == ExitStatus::exited(7));
        }
    }
}

TEST_CASE("a filter that refuses the reaper's own execve is named, and nothing is left") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        const NothingIsLeft check;
        SyncedSpawner spawner(with_reaper({.program = "sleep", .arguments = {"1000"}}, method));
        spawner.step({.name = "filter",
                      .child = ending_calls({SYS_execveat, SYS_execveat, SYS_execveat},
                                            SECCOMP_RET_ERRNO | EACCES)});
        const SpawnError error = failure_of(spawner);
        CHECK(error.code() == std::errc::permission_denied);
        CHECK(error.detail() == "execveat, of the reaper");
        CHECK(error.hint().find("execveat(2)") != std::string::npos);
        CHECK(error.program_may_have_run());

        SyncedSpawner killed(with_reaper({.program = "sleep", .arguments = {"1000"}}, method));
        killed.step(
            {.name = "filter", .child = ending_calls({SYS_execveat, SYS_execveat, SYS_execveat})});
        const SpawnError death = failure_of(killed);
        CHECK(death.status() == ExitStatus::killed(SIGSYS));
        CHECK(death.program_may_have_run());
    }
}

TEST_CASE("where memory may not be executed, the error says so") {
    Peer peer = peer_in_namespaces(CLONE_NEWPID, [] {
        Peer first([] {
            closefrom(3);  // a memory file of the harness might still be executed
            mount_own_proc();
            {
                std::ofstream sysctl("/proc/sys/vm/memfd_noexec");
                sysctl << "2" << std::flush;
                if (!sysctl) {
                    leave_out_here("there is no vm.memfd_noexec here (Linux 6.3)");
                }
            }
            const SpawnError error = failure_of(with_reaper({.program = "true"}));
            expect(error.stage() == Stage::prepare);
            expect(error.code() == std::errc::permission_denied);
            expect(error.hint().find("vm.memfd_noexec is 2") != std::string::npos);
        });
        const std::string reason = first.left_out();
        if (!reason.empty()) {
            leave_out_here(reason.c_str());
        }
        expect_same(first.ending().c_str(), reached_the_end.c_str());
    });
    CHECK_REACHED_THE_END_OR_SKIP(peer);
}

TEST_CASE("a last part that hangs is ended by the deadline, and so is the first process") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        const NothingIsLeft check;
        SpawnOptions options{.program = "true"};
        options.setup = {.within = 50ms, .abort_grace = 0ns};
        SyncedSpawner spawner(with_reaper(std::move(options), method));
        spawner.step({.name = "hangs", .last = shared_memory([](ChildSide&) {
                                           for (;;) {
                                               pause();
                                           }
                                       })});
        CHECK(failure_of(spawner).cause() == Cause::timed_out);
    }
}

TEST_CASE("either process may be killed while the last parts run") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        for (const bool is_first : {true, false}) {
            const NothingIsLeft check;
            std::atomic<pid_t> first{0};
            SyncedSpawner spawner(with_reaper({.program = "true"}, method));
            spawner.step(
                {.name = "note", .parent = [&](ParentSide& side) { first = side.child_pid(); }});
            spawner.step({.name = "hangs", .last = shared_memory([](ChildSide&) {
                                               for (;;) {
                                                   pause();
                                               }
                                           })});
            Launch launch = spawner.launch();
            CHECK(comes_true([&] {
                (void)launch.advance();
                const pid_t second = first > 0 ? program_of(first) : -1;
                return second > 0 && system_call_of(second) == SYS_pause;
            }));
            kill(is_first ? first.load() : program_of(first), SIGKILL);
            while (!launch.advance()) {
                await_event(launch.descriptor());
            }
            SpawnError error;
            (void)launch.take_process(error);
            CHECK(error.status() == ExitStatus::killed(SIGKILL));
            CHECK(error.step() == "hangs");
        }
    }
}

TEST_CASE("SIGKILL of the reaper ends all, and is its status") {
    SKIP_WITHOUT_REAPERS();
    const NothingIsLeft check;
    Process process =
        SyncedSpawner(with_reaper({.program = "sleep", .arguments = {"1000"}})).spawn();
    const pid_t program = program_of(process.pid());
    REQUIRE(program > 0);
    kill(process.pid(), SIGKILL);
    CHECK(process.wait() == ExitStatus::killed(SIGKILL));
    CHECK(comes_to_have_gone(program));
}

TEST_CASE("the program dies with the launcher if that is asked for, and else does not") {
    SKIP_WITHOUT_REAPERS();
    for (const StartMethod method : start_methods()) {
        for (const bool dies : {true, false}) {
            Shared<std::atomic<pid_t>> reaper;
            Shared<std::atomic<pid_t>> program;
            const Gate launched;
            Peer launcher([&] {
                SpawnOptions options{.program = "sleep", .arguments = {"1000"}};
                options.ending.die_with_parent = dies;
                const Process process =
                    SyncedSpawner(with_reaper(std::move(options), method)).spawn();
                *reaper = process.pid();
                *program = program_of(process.pid());
                launched.open();
                pause();
            });
            REQUIRE(launched.wait());
            REQUIRE(*program > 0);
            launcher.send(SIGKILL);
            (void)launcher.ending();
            if (!dies) {
                // Whoever waits for signals does not notice, and goes on to pass them on.
                CHECK(sleeps_in(*reaper, SYS_rt_sigtimedwait));
                kill(*reaper, SIGTERM);
            }
            CHECK(comes_true([&] {
                return state_of(*program) == '\0' &&
                       (state_of(*reaper) == '\0' || state_of(*reaper) == 'Z');
            }));
        }
    }
}
