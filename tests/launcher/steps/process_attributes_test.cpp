#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

#include <syncspawn/launcher.hpp>
#include <syncspawn/steps.hpp>

#include "support/observe.hpp"
#include "support/shared_memory.hpp"
#include "support/steps.hpp"
#include "support/ways_to_launch.hpp"

// steps::umask(), no_new_privileges(), oom_score_adj() and parent_death_signal().

using namespace syncspawn;
using namespace syncspawn::testing;
namespace steps = syncspawn::steps;

namespace {

SpawnOptions started_by(SpawnOptions options, StartMethod method) {
    options.birth.method = method;
    return options;
}

const SpawnOptions endless{.program = "sleep", .arguments = {"1000"}};

std::string score_of(const std::string& process) {
    return read_file("/proc/" + process + "/oom_score_adj");
}

std::string refusal_of(Step (*make)()) {
    return thrown_by<std::invalid_argument>([=] { (void)make(); });
}

}  // namespace

TEST_CASE("the program has the umask, and the parent keeps its own") {
    const mode_t before = ::umask(022);
    for (const StartMethod method : start_methods()) {
        CHECK(output_with(started_by(shell("umask"), method), steps::umask(0137)) == "0137\n");
    }
    CHECK(::umask(before) == 022);
}

TEST_CASE("the program gets no new privileges, and the parent still may") {
    const int before = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    for (const StartMethod method : start_methods()) {
        CHECK(output_with(
                  started_by({.program = "grep", .arguments = {"NoNewPrivs", "/proc/self/status"}},
                             method),
                  steps::no_new_privileges()) == "NoNewPrivs:\t1\n");
    }
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == before);
}

// The oom score.

TEST_CASE("the program has its oom score, and the parent keeps its own") {
    const std::string before = score_of("self");
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            SpawnError error;
            const SyncedSpawner spawner =
                with_step(started_by(endless, method), steps::oom_score_adj(789));
            const Process process = way(spawner, error);
            CHECK(std::string(error.what()) == "no error");
            CHECK(score_of(std::to_string(process.pid())) == "789\n");
            CHECK(score_of("self") == before);
        }
    }
}

TEST_CASE("a program that has ended before needs no oom score") {
    for (const Way way : both_ways) {
        Peer peer([&] {
            become_unprivileged();  // for whom the files of a zombie are somebody else's
            SyncedSpawner spawner({.program = "true"});
            spawner.step({.name = "wait for the end", .after_execve = [](ParentSide& side) {
                              expect(comes_true([&] { return side.has_ended(); }));
                          }});
            spawner.step(steps::oom_score_adj(789));
            expect_same(text_after(way, spawner).c_str(), "no error");
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

TEST_CASE("lowering the oom score takes a privilege, and the error says which") {
    for (const Way way : both_ways) {
        Peer peer([&] {
            become_unprivileged();
            SpawnError error;
            const SyncedSpawner spawner = with_step(endless, steps::oom_score_adj(-1000));
            expect(!way(spawner, error));
            expect_same(error.what(),
                        ("oom score in the parent: /proc/" + std::to_string(error.child_pid()) +
                         "/oom_score_adj: lowering it takes CAP_SYS_RESOURCE: "
                         "permission denied; the program may have run")
                            .c_str());
        });
        CHECK(peer.ending() == reached_the_end);
    }
}

// The signal of the parent's death.

namespace {

// A shell that says what it hears of, until it has heard.
SpawnOptions listener(StartMethod method, int output) {
    return {.program = "/bin/sh",
            .arguments = {"-c",
                          "trap 'echo terminated; exit' TERM; echo listening; "
                          "while :; do sleep 0.01; done"},
            .streams = {.output = Stdio::descriptor(output)},
            .birth = {.method = method},
            .ending = {.die_with_parent = true}};
}

}  // namespace

TEST_CASE("the program gets the signal when its parent ends, whichever thread launched it") {
    for (const StartMethod method : start_methods()) {
        for (const bool is_in_thread : {false, true}) {
            int ends[2];
            REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
            const UniqueFd output(ends[0]);
            UniqueFd input(ends[1]);
            Peer peer([&] {
                const auto launch = [&] {
                    (void)with_step(listener(method, input.get()),
                                    steps::parent_death_signal(SIGTERM))
                        .spawn()
                        .release();
                };
                is_in_thread ? std::thread(launch).join() : launch();
                for (;;) {
                    pause();
                }
            });
            input.reset();
            std::string text(10, '\0');
            CHECK(read(output.get(), text.data(), text.size()) == 10);
            CHECK(text == "listening\n");
            peer.send(SIGKILL);
            CHECK(read_all(output.get()) == "terminated\n");
        }
    }
}

TEST_CASE("the signal takes die_with_parent, which ties it to the process") {
    for (const StartMethod method : start_methods()) {
        CHECK(error_with(started_by({.program = "true"}, method),
                         steps::parent_death_signal(SIGTERM)) ==
              "parent-death signal in the child: it takes ending.die_with_parent, too: invalid "
              "argument");
    }
}

TEST_CASE("what no kernel has is refused") {
    CHECK(refusal_of([] { return steps::umask(01000); }) ==
          "syncspawn: a umask has the bits 0777 alone");
    CHECK(refusal_of([] { return steps::oom_score_adj(1001); }) ==
          "syncspawn: there is no oom_score_adj of 1001");
    CHECK(refusal_of([] { return steps::oom_score_adj(-1001); }) ==
          "syncspawn: there is no oom_score_adj of -1001");
    CHECK(refusal_of([] { return steps::parent_death_signal(0); }) ==
          "syncspawn: there is no signal 0");
    CHECK(refusal_of([] { return steps::parent_death_signal(99); }) ==
          "syncspawn: there is no signal 99");
}
