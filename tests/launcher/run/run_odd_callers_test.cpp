#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>

#include <syncspawn/launcher/run.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/peer.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

// Runs whose caller cancels late, destroys them at a bad moment, ends its thread, or lets others reap.

using namespace syncspawn;
using namespace syncspawn::testing;
using namespace std::chrono_literals;

namespace {

int calls_that_came_back = 0;

pid_t number_in(std::string_view text) { return std::stoi(std::string(text)); }

// A process that is not our child ends as soon as the kernel has buried it.
bool comes_to_an_end(pid_t pid) {
    while (kill(pid, 0) == 0 && state_of(pid) != 'Z') {
        usleep(1000);
    }
    return true;
}

// Without reaping it.
void wait_for_the_end_of_a_child() {
    siginfo_t info{};
    // __WALL: before its execve, a child that shares memory has no exit signal.
    REQUIRE(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | __WALL) == 0);
}

bool may_signal_a_group_by_pidfd() {
    const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    return syscall(SYS_pidfd_send_signal, self.get(), 0, nullptr, 1U << 2) == 0 || errno == ESRCH;
}

}  // namespace

TEST_CASE("a run that is cancelled when only its output is still read does not wait for more") {
    const NothingIsLeft nothing_is_left;
    pid_t sleeper = -1;
    Run run(SyncedSpawner(shell("sleep 1000 & echo $!")),
            {.output = {.receive = [&](std::string_view text) { sleeper = number_in(text); }},
             .drain = 1h});
    while (sleeper < 0) {
        REQUIRE_FALSE(run.advance());
    }
    wait_for_the_end_of_a_child();
    REQUIRE_FALSE(run.advance());  // it waits for the sleeper to close the stream
    run.cancel();
    while (!run.advance()) {
        pollfd loop{run.descriptor(), POLLIN, 0};
        REQUIRE(poll(&loop, 1, -1) == 1);
    }
    const RunResult result = run.take_result();
    CHECK(result.end == RunEnd::cancelled);
    CHECK(result.is_held_open);
    CHECK(result.status.success());
    CHECK(kill(sleeper, SIGKILL) == 0);
    CHECK(comes_to_an_end(sleeper));
}

TEST_CASE("a program that writes too much has, even if it has ended before that is seen") {
    const NothingIsLeft nothing_is_left;
    Run run(SyncedSpawner(shell("echo 12345")),
            {.output = {.limit = 4, .when_full = Capture::WhenFull::stop}});
    bool is_over = run.advance();
    wait_for_the_end_of_a_child();
    while (!is_over) {
        is_over = run.advance();
    }
    const RunResult result = run.take_result();
    CHECK(result.end == RunEnd::output_limit);
    CHECK_FALSE(result.success());
    CHECK(result.output == "1234");
}

TEST_CASE("a callback may destroy its own run, and is not called again") {
    const NothingIsLeft nothing_is_left;
    int calls = 0;
    auto run = std::make_unique<Run>();
    const auto destroy = [&](std::string_view) {
        ++calls;
        run.reset();
    };
    *run = Run(SyncedSpawner(shell("echo out; echo error >&2; exec sleep 1000")),
               {.output = {.receive = destroy}, .error = {.receive = destroy}});
    while (run != nullptr && !run->advance()) {
    }
    CHECK(calls == 1);

    calls = 0;
    run = std::make_unique<Run>();
    const auto launched = [&](const Process&) {
        ++calls;
        run.reset();
    };
    *run =
        Run(std::vector{SyncedSpawner(shell("exec sleep 1000")), SyncedSpawner({.program = "cat"})},
            {.launched = launched});
    while (run != nullptr && !run->advance()) {
    }
    CHECK(calls == 1);

    calls = 0;
    run = std::make_unique<Run>();
    const auto source = [&] {
        ++calls;
        run.reset();
        return std::string("not empty");
    };
    *run = Run(SyncedSpawner(shell("exec sleep 1000")), {.input = source});
    while (run != nullptr && !run->advance()) {
    }
    CHECK(calls == 1);
}

TEST_CASE("a callback may end its thread, and the program ends with it") {
    const NothingIsLeft nothing_is_left;
    pthread_t thread{};
    const auto run_and_end = [](void*) -> void* {
        (void)run(shell("echo; exec sleep 1000"),
                  {.output = {.receive = [](std::string_view) { pthread_exit(nullptr); }}});
        return &calls_that_came_back;
    };
    REQUIRE(pthread_create(&thread, nullptr, run_and_end, nullptr) == 0);
    void* result = &thread;
    REQUIRE(pthread_join(thread, &result) == 0);
    CHECK(result == nullptr);
}

TEST_CASE("a part after execve may wait for a program that writes much") {
    const NothingIsLeft nothing_is_left;
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    SpawnOptions options = shell("head -c 1000000 /dev/zero; echo >&5");
    options.descriptors.passed = {{.from = write_end.get(), .to = 5}};
    SyncedSpawner spawner(options);
    spawner.step({.name = "wait until it has written", .after_execve = [&](ParentSide& side) {
                      pollfd told{read_end.get(), POLLIN, 0};
                      return poll(&told, 1, 0) == 1 ? side.done() : side.wait_for(told.fd);
                  }});
    CHECK(run(spawner).output.size() == 1'000'000);
}

TEST_CASE("what is left in the kill scope ends even where somebody else reaps the program") {
    if (!may_signal_a_group_by_pidfd()) {
        SKIP_TEST("before Linux 6.9 a group is known by the number of its leader alone");
    }
    Peer peer([] {
        signal(SIGCHLD, SIG_IGN);
        SpawnOptions options = shell("sleep 1000 & echo $!");
        options.ending.scope = KillScope::session;
        const RunResult result = run(options, {.drain = 1ms});
        expect(result.status == ExitStatus::unknown());
        expect(comes_to_an_end(number_in(result.output)));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a pipeline for which there are too few descriptors says which limit it is") {
#if defined(SYNCSPAWN_ADDRESS_SANITIZER)
    // The sanitizer `vptr`, which comes with it, needs a pipe to look at the exception thrown then.
    SKIP_TEST("the sanitizer itself needs descriptors here");
#else
    Peer peer([] {
        const rlimit few{16, 16};
        expect(setrlimit(RLIMIT_NOFILE, &few) == 0);
        SpawnError error;
        (void)run_pipeline(std::vector<SpawnOptions>(20, {.program = "cat"}), {}, error);
        expect(error.code() == std::errc::too_many_files_open);
        expect(error.detail() == "open what the run needs");
        expect(error.hint().find("RLIMIT_NOFILE") != std::string::npos);
    });
    CHECK(peer.ending() == reached_the_end);
#endif
}
